// A key and its value in one call.

extension JSONWriter {
    /// A text.
    @inlinable
    public mutating func member(_ key: String, _ value: String) {
        self.key(key)
        string(value)
    }

    /// A text that compares as bytes.
    @inlinable
    public mutating func member(_ key: String, _ value: ByteString) {
        member(key, value.string)
    }

    /// An identifier.
    @inlinable
    public mutating func member(_ key: String, _ value: some MatrixIdentifier) {
        member(key, value.string)
    }

    /// A whole number.
    @inlinable
    public mutating func member(_ key: String, _ value: Int64) {
        self.key(key)
        int(value)
    }

    /// A whole number.
    @inlinable
    public mutating func member(_ key: String, _ value: Int) {
        member(key, Int64(value))
    }

    package mutating func member(_ key: String, _ value: Timestamp) {
        member(key, value.milliseconds)
    }

    /// `true` or `false`.
    @inlinable
    public mutating func member(_ key: String, _ value: Bool) {
        self.key(key)
        bool(value)
    }

    package mutating func member(_ key: String, _ value: JSONValue) {
        self.key(key)
        self.value(value)
    }

    /// For keys that came from outside.
    package mutating func member(_ key: ByteString, _ value: JSONValue) {
        member(key.string, value)
    }

    package mutating func member(_ key: String, _ value: JSON) {
        self.key(key)
        json(value)
    }

    /// A list of texts.
    @inlinable
    public mutating func member(_ key: String, _ values: [String]) {
        self.key(key)
        array { writer in for value in values { writer.string(value) } }
    }

    /// A list of identifiers.
    @inlinable
    public mutating func member(_ key: String, _ values: some Sequence<some MatrixIdentifier>) {
        self.key(key)
        array { writer in for value in values { writer.string(value.string) } }
    }

    /// A value that is JSON already.
    @inlinable
    public mutating func member(_ key: String, raw json: some Collection<UInt8>) {
        self.key(key)
        raw(json)
    }

    /// An object, of which `body` writes the members.
    @inlinable
    public mutating func member(_ key: String, object body: (inout JSONWriter) throws -> Void) rethrows {
        self.key(key)
        try object(body)
    }

    /// An array, of which `body` writes the elements.
    @inlinable
    public mutating func member(_ key: String, array body: (inout JSONWriter) throws -> Void) rethrows {
        self.key(key)
        try array(body)
    }
}
