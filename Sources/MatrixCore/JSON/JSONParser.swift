// Reads a JSON text onto the tape in one pass. RFC 8259, sections 2 to 7.

/// The one pass over the text. It recurses nowhere: an open container remembers its parent in its own node.
struct JSONParser {
    private let text: UnsafeBufferPointer<UInt8>
    private let base: UnsafePointer<UInt8>
    private let count: Int
    private let tape: JSONTape
    private let limits: JSONLimits
    private var position = 0
    private var nodes: UnsafeMutablePointer<JSONNode>
    private var nodeCount = 0
    private var capacity: Int
    /// The innermost open container.
    private var container = JSONParser.none
    private var depth = 0

    private static let none = UInt32.max

    init(text: UnsafeBufferPointer<UInt8>, tape: JSONTape, limits: JSONLimits) {
        self.text = text
        // An empty array has no address; no byte is read then, because the count is 0.
        base = text.baseAddress ?? UnsafePointer(bitPattern: 1).unsafelyUnwrapped
        count = text.count
        self.tape = tape
        self.limits = limits
        nodes = tape.nodes
        capacity = tape.capacity
    }

    mutating func parse() throws(JSONError) {
        skipWhitespace()
        while true {
            switch try next() {
            case UInt8(ascii: "{"):
                try open(JSONNode.Tag.object)
                if try next() == UInt8(ascii: "}") {
                    close()
                } else {
                    try readKey()
                    continue
                }
            case UInt8(ascii: "["):
                try open(JSONNode.Tag.array)
                if try next() == UInt8(ascii: "]") {
                    close()
                } else {
                    continue
                }
            case UInt8(ascii: "\""):
                try readString()
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                try readNumber()
            case UInt8(ascii: "t"):
                try readLiteral("true", JSONNode.Tag.true)
            case UInt8(ascii: "f"):
                try readLiteral("false", JSONNode.Tag.false)
            case UInt8(ascii: "n"):
                try readLiteral("null", JSONNode.Tag.null)
            default:
                throw error(.unexpectedCharacter)
            }
            guard try readAfterValue() else { return }
        }
    }

    /// What follows a value: the ends of containers, and a comma. False at the end of the text.
    private mutating func readAfterValue() throws(JSONError) -> Bool {
        while true {
            skipWhitespace()
            guard container != Self.none else {
                guard position == count else { throw error(.trailingCharacters) }
                return false
            }
            let open = Int(container)
            let isObject = nodes[open].tag == JSONNode.Tag.object
            nodes[open].info &+= 1 << JSONNode.countShift
            switch try next() {
            case UInt8(ascii: ","):
                position &+= 1
                skipWhitespace()
                if isObject { try readKey() }
                return true
            case UInt8(ascii: "}") where isObject, UInt8(ascii: "]") where !isObject:
                close()
            default:
                throw error(.unexpectedCharacter)
            }
        }
    }

    /// A key and its colon, up to the value.
    private mutating func readKey() throws(JSONError) {
        guard try next() == UInt8(ascii: "\"") else { throw error(.unexpectedCharacter) }
        try readString()
        skipWhitespace()
        guard try next() == UInt8(ascii: ":") else { throw error(.unexpectedCharacter) }
        position &+= 1
        skipWhitespace()
    }

    // MARK: Containers

    private mutating func open(_ tag: UInt32) throws(JSONError) {
        depth += 1
        guard depth <= limits.maxDepth else { throw error(.tooDeep) }
        let index = UInt32(truncatingIfNeeded: nodeCount)
        append(JSONNode(start: UInt32(truncatingIfNeeded: position), end: 0, next: container, info: tag))
        container = index
        position &+= 1
        skipWhitespace()
    }

    private mutating func close() {
        let index = Int(container)
        position &+= 1
        depth -= 1
        container = nodes[index].next
        nodes[index].end = UInt32(truncatingIfNeeded: position)
        nodes[index].next = UInt32(truncatingIfNeeded: nodeCount)
    }

    // MARK: Scalars

    private mutating func readString() throws(JSONError) {
        let start = position
        var scanner = JSONStringScanner(base: base, count: count, position: position &+ 1)
        let escaped = try scanner.scan()
        position = scanner.position
        appendScalar(from: start, info: escaped ? JSONNode.Tag.string | JSONNode.escapedFlag : JSONNode.Tag.string)
    }

    private mutating func readLiteral(_ word: StaticString, _ tag: UInt32) throws(JSONError) {
        let start = position
        for index in 0..<word.utf8CodeUnitCount {
            guard try next() == word.utf8Start[index] else { throw error(.unexpectedCharacter) }
            position &+= 1
        }
        appendScalar(from: start, info: tag)
    }

    private mutating func readNumber() throws(JSONError) {
        let start = position
        if base[position] == UInt8(ascii: "-") { position &+= 1 }
        let firstDigit = position
        var magnitude: UInt64 = 0
        while position < count, base[position] &- UInt8(ascii: "0") <= 9 {
            // Meaningless after nineteen digits, which is longer than any number in the strict range.
            magnitude = magnitude &* 10 &+ UInt64(base[position] &- UInt8(ascii: "0"))
            position &+= 1
        }
        let digits = position - firstDigit
        guard digits > 0, digits == 1 || base[firstDigit] != UInt8(ascii: "0") else { throw error(.invalidNumber) }
        var tag = JSONNode.Tag.integer
        var exponent = 0
        if position < count, base[position] == UInt8(ascii: ".") {
            tag = JSONNode.Tag.number
            position &+= 1
            try skipDigits()
        }
        if position < count, base[position] | 0x20 == UInt8(ascii: "e") {
            tag = JSONNode.Tag.number
            position &+= 1
            exponent = try readExponent()
        }
        if case .strict = limits.numbers {
            guard tag == JSONNode.Tag.integer else { throw JSONError(reason: .floatNotAllowed, offset: start) }
            guard digits <= 16, magnitude < 1 << 53 else { throw JSONError(reason: .integerOutOfRange, offset: start) }
        }
        // Less than 10^308 fits a double; what is near the edge is tried.
        guard digits &+ exponent <= 308 || isFiniteNumber(from: start) else { throw JSONError(reason: .invalidNumber, offset: start) }
        appendScalar(from: start, info: tag)
    }

    /// Whether the number that ends here fits a double.
    private func isFiniteNumber(from start: Int) -> Bool {
        Double(String(decoding: UnsafeBufferPointer(rebasing: text[start..<position]), as: UTF8.self))?.isFinite == true
    }

    private mutating func skipDigits() throws(JSONError) {
        let start = position
        while position < count, base[position] &- UInt8(ascii: "0") <= 9 { position &+= 1 }
        guard position > start else { throw error(.invalidNumber) }
    }

    /// What follows the `e`; no longer exact where it is greater than any text is long.
    private mutating func readExponent() throws(JSONError) -> Int {
        var isNegative = false
        if position < count, base[position] == UInt8(ascii: "+") || base[position] == UInt8(ascii: "-") {
            isNegative = base[position] == UInt8(ascii: "-")
            position &+= 1
        }
        let start = position
        try skipDigits()
        var exponent = 0
        for digit in text[start..<position] where exponent < JSONTape.byteLimit {
            exponent = exponent &* 10 &+ Int(digit &- UInt8(ascii: "0"))
        }
        return isNegative ? -exponent : exponent
    }

    // MARK: The tape and the text

    @inline(__always)
    private mutating func appendScalar(from start: Int, info: UInt32) {
        append(
            JSONNode(
                start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: position),
                next: UInt32(truncatingIfNeeded: nodeCount &+ 1), info: info))
    }

    @inline(__always)
    private mutating func append(_ node: JSONNode) {
        if nodeCount == capacity {
            tape.grow(keeping: nodeCount)
            nodes = tape.nodes
            capacity = tape.capacity
        }
        (nodes + nodeCount).initialize(to: node)
        nodeCount &+= 1
    }

    /// The byte at the present position.
    @inline(__always)
    private func next() throws(JSONError) -> UInt8 {
        guard position < count else { throw error(.unexpectedEnd) }
        return base[position]
    }

    @inline(__always)
    private mutating func skipWhitespace() {
        while position < count, base[position] <= 0x20 {
            switch base[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position &+= 1
            default: return
            }
        }
    }

    private func error(_ reason: JSONError.Reason) -> JSONError {
        JSONError(reason: reason, offset: position)
    }
}
