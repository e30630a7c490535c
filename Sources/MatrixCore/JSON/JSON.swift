// A value inside a parsed document.

/// A cursor: one value of a ``JSONDocument``. Asking for the wrong type gives `nil`, or a sequence of nothing.
package struct JSON: Sendable {
    let tape: JSONTape
    let index: Int

    package enum Kind: Sendable {
        case object, array, string
        /// A number without fraction and exponent.
        case integer
        /// A number with a fraction or an exponent.
        case number
        case bool, null
    }

    var node: JSONNode { tape.nodes[index] }

    package var kind: Kind {
        switch node.tag {
        case JSONNode.Tag.object: .object
        case JSONNode.Tag.array: .array
        case JSONNode.Tag.string: .string
        case JSONNode.Tag.integer: .integer
        case JSONNode.Tag.number: .number
        case JSONNode.Tag.null: .null
        default: .bool
        }
    }

    /// The value of a key of an object; the last one where the key is written twice.
    package subscript(_ key: String) -> JSON? {
        let node = node
        guard node.tag == JSONNode.Tag.object else { return nil }
        let end = Int(node.next)
        return key.withUTF8Bytes { wanted in
            tape.bytes.withUnsafeBufferPointer { text in
                var found: JSON?
                var position = index &+ 1
                while position < end {
                    if tape.nodes[position].isKey(wanted, in: text) { found = JSON(tape: tape, index: position &+ 1) }
                    position = Int(tape.nodes[position &+ 1].next)
                }
                return found
            }
        }
    }

    /// The value of a key of an object.
    package subscript(_ key: ByteString) -> JSON? { self[key.string] }

    /// An element of an array; `nil` beyond its end. Costs a step per element before it.
    package subscript(_ position: Int) -> JSON? {
        guard position >= 0, position < count, kind == .array else { return nil }
        var element = index + 1
        for _ in 0..<position { element = Int(tape.nodes[element].next) }
        return JSON(tape: tape, index: element)
    }

    /// The text of a string.
    package var string: String? {
        let node = node
        guard node.tag == JSONNode.Tag.string else { return nil }
        return tape.withContents(of: node) { contents in
            guard node.isEscaped else { return String(decoding: contents, as: UTF8.self) }
            return String(decoding: JSONEscape.decoded(contents), as: UTF8.self)
        }
    }

    /// The text of a string, to compare or to use as a key.
    package var byteString: ByteString? { string.map { ByteString($0) } }

    /// Whether this is a string of exactly these bytes; decodes nothing where it needn't.
    package func isString(_ text: String) -> Bool {
        let node = node
        guard node.tag == JSONNode.Tag.string else { return false }
        return text.withUTF8Bytes { wanted in tape.bytes.withUnsafeBufferPointer { node.isKey(wanted, in: $0) } }
    }

    /// The value of an integer in the range of `Int64`. A number written with a fraction or an exponent is none.
    package var int: Int64? {
        let node = node
        guard node.tag == JSONNode.Tag.integer else { return nil }
        return tape.withBytes(of: node) { digits in
            let negative = digits[0] == UInt8(ascii: "-")
            var value: Int64 = 0
            for digit in digits[(negative ? 1 : 0)...] {
                let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
                let step = Int64(digit &- UInt8(ascii: "0"))
                let (sum, tooFar) = negative ? tenfold.subtractingReportingOverflow(step) : tenfold.addingReportingOverflow(step)
                guard !overflow, !tooFar else { return nil }
                value = sum
            }
            return value
        }
    }

    /// The value of any number.
    package var double: Double? {
        let node = node
        guard node.tag == JSONNode.Tag.integer || node.tag == JSONNode.Tag.number else { return nil }
        return tape.withBytes(of: node) { Double(String(decoding: $0, as: UTF8.self)) }
    }

    package var bool: Bool? {
        switch node.tag {
        case JSONNode.Tag.true: true
        case JSONNode.Tag.false: false
        default: nil
        }
    }

    package var isNull: Bool { node.tag == JSONNode.Tag.null }
    package var isObject: Bool { node.tag == JSONNode.Tag.object }
    package var isArray: Bool { node.tag == JSONNode.Tag.array }
    package var isString: Bool { node.tag == JSONNode.Tag.string }

    /// How many elements an array has, or members an object, a key that is written twice counted twice. 0 for all else.
    package var count: Int {
        let node = node
        return node.tag <= JSONNode.Tag.array ? node.count : 0
    }

    /// The value as it was written.
    package var bytes: ArraySlice<UInt8> { tape.bytes[node.range] }

    /// Where ``bytes`` stand in the document.
    package var byteRange: Range<Int> { node.range }

    /// The value as a tree.
    package var value: JSONValue { JSONValue(self) }

    /// The elements of an array.
    package var elements: JSONElements { JSONElements(array: self) }

    /// The members of an object in the order in which they were written. A key written twice comes twice: the last counts.
    package var members: JSONMembers { JSONMembers(object: self) }
}

extension JSONNode {
    /// Whether this string is `wanted`, as bytes. `text` is the whole document.
    @inline(__always)
    func isKey(_ wanted: UnsafeBufferPointer<UInt8>, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        if isEscaped { return isEscapedKey(wanted, in: text) }
        guard Int(end &- start) == wanted.count &+ 2 else { return false }
        return bytesEqual(UnsafeBufferPointer(rebasing: text[(Int(start) + 1)..<(Int(end) - 1)]), wanted)
    }

    private func isEscapedKey(_ wanted: UnsafeBufferPointer<UInt8>, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        JSONEscape.decoded(UnsafeBufferPointer(rebasing: text[(Int(start) + 1)..<(Int(end) - 1)])).elementsEqual(wanted)
    }
}

/// The elements of an array, in order. Empty when the value is no array.
package struct JSONElements: Sequence, Sendable {
    let array: JSON

    package var underestimatedCount: Int { array.isArray ? array.count : 0 }

    package func makeIterator() -> Iterator {
        let node = array.node
        let isArray = node.tag == JSONNode.Tag.array
        return Iterator(tape: array.tape, position: array.index + 1, end: isArray ? Int(node.next) : 0)
    }

    package struct Iterator: IteratorProtocol {
        let tape: JSONTape
        var position: Int
        let end: Int

        package mutating func next() -> JSON? {
            guard position < end else { return nil }
            let element = JSON(tape: tape, index: position)
            position = Int(tape.nodes[position].next)
            return element
        }
    }
}

/// The members of an object, in order. Empty when the value is no object.
package struct JSONMembers: Sequence, Sendable {
    let object: JSON

    package var underestimatedCount: Int { object.isObject ? object.count : 0 }

    package func makeIterator() -> Iterator {
        let node = object.node
        let isObject = node.tag == JSONNode.Tag.object
        return Iterator(tape: object.tape, position: object.index + 1, end: isObject ? Int(node.next) : 0)
    }

    package struct Iterator: IteratorProtocol {
        let tape: JSONTape
        var position: Int
        let end: Int

        package mutating func next() -> (key: ByteString, value: JSON)? {
            guard position < end else { return nil }
            let key = JSON(tape: tape, index: position).byteString ?? ""
            let value = JSON(tape: tape, index: position + 1)
            position = Int(tape.nodes[position + 1].next)
            return (key, value)
        }
    }
}
