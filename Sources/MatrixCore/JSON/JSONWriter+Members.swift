// A key and its value in one call.

extension JSONWriter {
    @inlinable
    package mutating func member(_ key: String, _ value: String) {
        self.key(key)
        string(value)
    }

    @inlinable
    package mutating func member(_ key: String, _ value: ByteString) {
        member(key, value.string)
    }

    @inlinable
    package mutating func member(_ key: String, _ value: some MatrixIdentifier) {
        member(key, value.string)
    }

    @inlinable
    package mutating func member(_ key: String, _ value: Int64) {
        self.key(key)
        int(value)
    }

    @inlinable
    package mutating func member(_ key: String, _ value: Int) {
        member(key, Int64(value))
    }

    @inlinable
    package mutating func member(_ key: String, _ value: Timestamp) {
        member(key, value.milliseconds)
    }

    @inlinable
    package mutating func member(_ key: String, _ value: Bool) {
        self.key(key)
        bool(value)
    }

    @inlinable
    package mutating func member(_ key: String, _ value: JSONValue) {
        self.key(key)
        self.value(value)
    }

    /// For keys that came from outside.
    @inlinable
    package mutating func member(_ key: ByteString, _ value: JSONValue) {
        member(key.string, value)
    }

    @inlinable
    package mutating func member(_ key: String, _ value: JSON) {
        self.key(key)
        json(value)
    }

    @inlinable
    package mutating func member(_ key: String, _ values: [String]) {
        self.key(key)
        array { writer in for value in values { writer.string(value) } }
    }

    @inlinable
    package mutating func member(_ key: String, _ values: some Sequence<some MatrixIdentifier>) {
        self.key(key)
        array { writer in for value in values { writer.string(value.string) } }
    }

    /// A value that is JSON already.
    @inlinable
    package mutating func member(_ key: String, raw json: some Collection<UInt8>) {
        self.key(key)
        raw(json)
    }

    @inlinable
    package mutating func member(_ key: String, object body: (inout JSONWriter) throws -> Void) rethrows {
        self.key(key)
        try object(body)
    }

    @inlinable
    package mutating func member(_ key: String, array body: (inout JSONWriter) throws -> Void) rethrows {
        self.key(key)
        try array(body)
    }
}
