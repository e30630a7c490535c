// A parsed JSON text: the original bytes and a tape of where each value stands. RFC 8259; Appendices §Canonical JSON.

/// What a JSON text may hold. The specification sets no limits of its own here; RFC 8259, section 9, allows a reader to.
package struct JSONLimits: Sendable {
    /// Arrays and objects inside one another. Readers of values and writers of canonical JSON recurse as deep as this.
    package var maxDepth: Int
    package var numbers: Numbers

    package enum Numbers: Sendable {
        /// Canonical JSON: integers in ±(2^53 − 1), no fraction, no exponent.
        case strict
        /// Any number that fits a double.
        case lenient
        /// The same, and in canonical JSON a fraction or an exponent stays one. Events of room versions 1 to 5 have such numbers,
        /// and the hashes over them are those that all other servers compute.
        case event
    }

    package init(maxDepth: Int = requestDepth, numbers: Numbers = .lenient) {
        self.maxDepth = maxDepth
        self.numbers = numbers
    }

    /// How deep an event may be nested: no more and no less than the servers that most rooms live on accept, because an event
    /// that only some servers accept splits a room.
    package static let eventDepth = 127
    /// How deep the body of a request may be nested: deep enough for an event that is too deep to be refused by itself, and not
    /// with all that came in the same transaction.
    package static let requestDepth = 200

    /// The body of a request.
    package static let request = JSONLimits()
    /// An event of a room version that enforces canonical JSON (6 and later).
    package static let strictEvent = JSONLimits(maxDepth: eventDepth, numbers: .strict)
    /// An event of an older room version, and events that are already in our database.
    package static let lenientEvent = JSONLimits(maxDepth: eventDepth, numbers: .event)
}

/// Why bytes are not the JSON they should be.
package struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    package let reason: Reason
    /// The byte at which reading stopped.
    package let offset: Int

    package enum Reason: String, Sendable {
        case unexpectedEnd = "the text ends too early"
        case unexpectedCharacter = "unexpected character"
        case trailingCharacters = "text after the value"
        case invalidUTF8 = "not UTF-8"
        case invalidEscape = "invalid escape sequence"
        /// `\ud800` without its other half: no UTF-8, and so no canonical JSON, can express it.
        case loneSurrogate = "half of a surrogate pair"
        case controlCharacter = "control character in a string"
        case invalidNumber = "invalid number"
        case tooDeep = "nested too deeply"
        case tooLarge = "too large"
        /// Only under ``JSONLimits/Numbers/strict``.
        case integerOutOfRange = "integer out of range"
        /// Only under ``JSONLimits/Numbers/strict``.
        case floatNotAllowed = "number with fraction or exponent"
    }

    package init(reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// JSON indeed, but not canonical JSON: `M_BAD_JSON` where other errors are `M_NOT_JSON`.
    package var isValidJSON: Bool {
        switch reason {
        case .integerOutOfRange, .floatNotAllowed, .tooDeep: true
        default: false
        }
    }

    package var description: String { "\(reason.rawValue) at byte \(offset)" }
}

/// A JSON text, read once. Its values are ``JSON`` cursors; strings and numbers are decoded when asked for.
///
/// Of a key that is written twice in an object the last value counts, as in Python. Keys compare as bytes.
package struct JSONDocument: Sendable {
    let tape: JSONTape

    /// Reads `bytes`, all of them: one value with white space around it.
    package init(parsing bytes: [UInt8], limits: JSONLimits = .request) throws(JSONError) {
        tape = try JSONTape(parsing: bytes, limits: limits)
    }

    package var root: JSON { JSON(tape: tape, index: 0) }

    /// The text as it was read.
    package var bytes: [UInt8] { tape.bytes }

    /// How many bytes of memory the document takes: the text, and sixteen bytes for each value, with room to spare. A value takes at
    /// least two bytes of text, so it is never more than seventeen times the text, while it is read up to twenty-five times.
    package var memorySize: Int { tape.bytes.count + tape.capacity * MemoryLayout<JSONNode>.stride }
}

/// One value on the tape. Keys are string nodes before their value.
struct JSONNode {
    /// The value's bytes: `start ..< end`, quotes and brackets included.
    var start: UInt32
    var end: UInt32
    /// The node after this one and all that is inside it. While a container is being read: its parent.
    var next: UInt32
    /// Bits 0–2 tag, bit 3 whether a string has escapes, from bit 4 the number of elements or members.
    var info: UInt32

    static let escapedFlag: UInt32 = 1 << 3
    static let countShift: UInt32 = 4

    enum Tag {
        static let object: UInt32 = 0
        static let array: UInt32 = 1
        static let string: UInt32 = 2
        static let integer: UInt32 = 3
        static let number: UInt32 = 4
        static let `true`: UInt32 = 5
        static let `false`: UInt32 = 6
        static let null: UInt32 = 7
    }

    @inline(__always) var tag: UInt32 { info & 7 }
    @inline(__always) var isEscaped: Bool { info & Self.escapedFlag != 0 }
    @inline(__always) var count: Int { Int(info >> Self.countShift) }
    @inline(__always) var range: Range<Int> { Int(start)..<Int(end) }
}

/// The shared storage of a document.
///
/// `@unchecked Sendable`: `nodes` is written by the initializer only, before anyone else holds a reference, and read afterwards.
final class JSONTape: @unchecked Sendable {
    let bytes: [UInt8]
    /// Whether canonical JSON keeps numbers with a fraction or an exponent (``JSONLimits/Numbers/event``).
    let keepsFloats: Bool
    private(set) var nodes: UnsafeMutablePointer<JSONNode>
    private(set) var capacity: Int

    /// The longest text that is read at all: offsets and counts are kept in 28 bits and more.
    static let byteLimit = 1 << 28

    init(parsing bytes: [UInt8], limits: JSONLimits) throws(JSONError) {
        self.bytes = bytes
        if case .event = limits.numbers { keepsFloats = true } else { keepsFloats = false }
        // An event has a token every ten to twenty bytes; denser texts grow.
        capacity = bytes.count / 12 + 8
        nodes = .allocate(capacity: capacity)
        guard bytes.count <= Self.byteLimit else { throw JSONError(reason: .tooLarge, offset: Self.byteLimit) }
        try bytes.withUnsafeBufferPointer { buffer throws(JSONError) in
            var parser = JSONParser(text: buffer, tape: self, limits: limits)
            try parser.parse()
        }
    }

    deinit {
        nodes.deallocate()
    }

    /// Doubles the room for nodes; the first `count` are in use.
    func grow(keeping count: Int) {
        let larger = UnsafeMutablePointer<JSONNode>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: nodes, count: count)
        nodes.deallocate()
        nodes = larger
        capacity *= 2
    }

    @inline(__always)
    func withBytes<R>(of node: JSONNode, _ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        try bytes.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[node.range])) }
    }

    /// Calls `body` with what stands between a string's quotes, undecoded.
    @inline(__always)
    func withContents<R>(of node: JSONNode, _ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        try bytes.withUnsafeBufferPointer {
            try body(UnsafeBufferPointer(rebasing: $0[(Int(node.start) + 1)..<(Int(node.end) - 1)]))
        }
    }
}
