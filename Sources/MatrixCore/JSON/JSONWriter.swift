// Writes JSON as bytes. Commas are its business; the order of keys is the caller's.

/// Appends a JSON text to a buffer.
///
///     var writer = JSONWriter()
///     writer.object { writer in
///         writer.member("room_id", room.string)
///         writer.member("events", array: { $0.raw(event) })
///     }
///
/// Public, as the other types of this target that have inlinable parts: what is `package` is never inlined into another target.
///
/// Each key takes exactly one value. What is spliced in raw must be one complete value.
public struct JSONWriter: Sendable {
    /// What has been written.
    public var bytes: [UInt8]
    /// Whether the next key or element follows another.
    @usableFromInline var needsComma = false

    /// Makes room for so many bytes; more take a little longer.
    @inlinable
    public init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    // MARK: Containers

    /// An object, of which `body` writes the members.
    @inlinable
    public mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        beginValue()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        try body(&self)
        close()
    }

    /// An array, of which `body` writes the elements.
    @inlinable
    public mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
        beginValue()
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        try body(&self)
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// Writes the start of an object that has a member already and is rendered elsewhere, up to its closing brace. Then come
    /// more members, then ``close()``.
    @inlinable
    public mutating func openRaw(_ prefix: some Collection<UInt8>) {
        beginValue()
        append(prefix)
        needsComma = true
    }

    /// Ends an object that ``openRaw(_:)`` began.
    @inlinable
    public mutating func close() {
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    // MARK: Keys and values

    /// Writes a key; exactly one value has to follow.
    @inlinable
    public mutating func key(_ key: String) {
        beginValue()
        appendQuoted(key)
        bytes.append(UInt8(ascii: ":"))
    }

    /// Writes a key that came from outside.
    @inlinable
    public mutating func key(_ key: ByteString) {
        self.key(key.string)
    }

    /// A text, with what must be escaped escaped.
    @inlinable
    public mutating func string(_ text: String) {
        beginValue()
        appendQuoted(text)
        endValue()
    }

    /// A text that compares as bytes.
    @inlinable
    public mutating func string(_ text: ByteString) {
        string(text.string)
    }

    /// A whole number.
    public mutating func int(_ value: Int64) {
        beginValue()
        JSONNumber.append(value, to: &bytes)
        endValue()
    }

    /// A number with a fraction.
    public mutating func double(_ value: Double) {
        beginValue()
        JSONNumber.append(value, to: &bytes)
        endValue()
    }

    /// `true` or `false`.
    @inlinable
    public mutating func bool(_ value: Bool) {
        word(value ? "true" : "false")
    }

    /// `null`.
    @inlinable
    public mutating func null() {
        word("null")
    }

    /// Writes a value as it was read.
    package mutating func json(_ value: JSON) {
        raw(value.bytes)
    }

    /// Writes a tree as canonical JSON.
    package mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .int(let value): int(value)
        case .double(let value): double(value)
        case .string(let value): string(value)
        case .array(let elements): array { for element in elements { $0.value(element) } }
        case .object(let members): object { for (key, value) in members { $0.member(key, value) } }
        }
    }

    /// Writes one complete value that is JSON already.
    @inlinable
    public mutating func raw(_ json: some Collection<UInt8>) {
        beginValue()
        append(json)
        endValue()
    }

    // MARK: Steps

    /// The comma before a key or an element.
    @inlinable
    mutating func beginValue() {
        if needsComma {
            bytes.append(UInt8(ascii: ","))
            needsComma = false
        }
    }

    @inlinable
    mutating func endValue() {
        needsComma = true
    }

    /// Copies bytes in one go, also where the compiler does not know what kind of collection they are in.
    @inlinable
    mutating func append(_ run: some Collection<UInt8>) {
        if run.withContiguousStorageIfAvailable({ bytes.append(contentsOf: $0) }) == nil { bytes.append(contentsOf: run) }
    }

    @usableFromInline
    mutating func word(_ word: StaticString) {
        beginValue()
        bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        endValue()
    }

    @usableFromInline
    mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8Bytes { JSONEscape.append($0, to: &bytes) }
        bytes.append(UInt8(ascii: "\""))
    }
}
