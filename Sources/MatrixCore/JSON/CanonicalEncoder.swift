// How a tape becomes canonical JSON: what is canonical already is copied in one piece. Appendices §Canonical JSON.

/// Goes over the tape in canonical order. Most of what it meets was canonical before, so it does not write but remembers the run
/// of the text that it would have written (``run``), as long as one piece follows the other there, and copies the run when it ends.
///
/// Recursion is as deep as the value, which ``JSONLimits/maxDepth`` bounds.
struct CanonicalEncoder {
    private let tape: JSONTape
    private let text: UnsafeBufferPointer<UInt8>
    /// The part of the text that is to be copied next. Always within the text's bounds.
    private var run = 0..<0

    /// - Parameter text: the bytes of `tape`.
    init(tape: JSONTape, text: UnsafeBufferPointer<UInt8>) {
        self.tape = tape
        self.text = text
    }

    /// Appends the value at `index`; where it is an object, without the members that `omitted` names.
    mutating func encode(_ index: Int, omitting omitted: [String], to output: inout [UInt8]) {
        run = Int(tape.nodes[index].start)..<Int(tape.nodes[index].start)
        write(index, omitting: omitted, to: &output)
        flush(to: &output)
    }

    private mutating func write(_ index: Int, omitting omitted: [String] = [], to output: inout [UInt8]) {
        let node = tape.nodes[index]
        switch node.tag {
        case JSONNode.Tag.object: writeObject(index, node, omitting: omitted, to: &output)
        case JSONNode.Tag.array: writeArray(index, node, to: &output)
        case JSONNode.Tag.string where node.isEscaped: writeEscapedString(node, to: &output)
        case JSONNode.Tag.integer where isMinusZero(node): append(UInt8(ascii: "0"), to: &output)
        case JSONNode.Tag.number: writeNumber(node, to: &output)
        default: append(node.range, to: &output)
        }
    }

    private mutating func writeObject(_ index: Int, _ node: JSONNode, omitting omitted: [String], to output: inout [UInt8]) {
        append(UInt8(ascii: "{"), to: &output)
        var isFirst = true
        if isSorted(index, node) {
            var key = index &+ 1
            while key < Int(node.next) {
                writeMember(at: key, &isFirst, omitting: omitted, to: &output)
                key = Int(tape.nodes[key &+ 1].next)
            }
        } else {
            for key in sortedKeys(index, node) { writeMember(at: key, &isFirst, omitting: omitted, to: &output) }
        }
        append(UInt8(ascii: "}"), to: &output)
    }

    @inline(__always)
    private mutating func writeMember(at key: Int, _ isFirst: inout Bool, omitting omitted: [String], to output: inout [UInt8]) {
        guard omitted.isEmpty || !omitted.contains(where: { isKey(key, $0) }) else { return }
        if !isFirst { append(UInt8(ascii: ","), to: &output) }
        isFirst = false
        write(key, to: &output)
        append(UInt8(ascii: ":"), to: &output)
        write(key &+ 1, to: &output)
    }

    private mutating func writeArray(_ index: Int, _ node: JSONNode, to output: inout [UInt8]) {
        append(UInt8(ascii: "["), to: &output)
        var element = index &+ 1
        while element < Int(node.next) {
            if element > index &+ 1 { append(UInt8(ascii: ","), to: &output) }
            write(element, to: &output)
            element = Int(tape.nodes[element].next)
        }
        append(UInt8(ascii: "]"), to: &output)
    }

    private mutating func writeEscapedString(_ node: JSONNode, to output: inout [UInt8]) {
        flush(to: &output)
        output.append(UInt8(ascii: "\""))
        JSONEscape.decode(contents(node)) {
            output.append(contentsOf: $0)
        } scalar: { scalar in
            switch scalar.value {
            case ..<0x20, 0x22, 0x5C: JSONEscape.append(UInt8(truncatingIfNeeded: scalar.value), to: &output)
            default: output.append(contentsOf: scalar.utf8)
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    private func isMinusZero(_ node: JSONNode) -> Bool {
        node.range.count == 2 && text[node.range.lowerBound] == UInt8(ascii: "-") && text[node.range.lowerBound + 1] == UInt8(ascii: "0")
    }

    private mutating func writeNumber(_ node: JSONNode, to output: inout [UInt8]) {
        flush(to: &output)
        let value = Double(String(decoding: UnsafeBufferPointer(rebasing: text[node.range]), as: UTF8.self)) ?? 0
        if tape.keepsFloats { JSONNumber.appendFloat(value, to: &output) } else { JSONNumber.append(value, to: &output) }
    }

    // MARK: The run

    /// Appends a part of the text.
    @inline(__always)
    private mutating func append(_ range: Range<Int>, to output: inout [UInt8]) {
        if range.lowerBound != run.upperBound {
            flush(to: &output)
            run = range
        } else {
            run = run.lowerBound..<range.upperBound
        }
    }

    /// Appends a bracket, a comma or a colon: the one that stands at the end of the run, if it is the same.
    @inline(__always)
    private mutating func append(_ byte: UInt8, to output: inout [UInt8]) {
        if run.upperBound < text.count, text[run.upperBound] == byte {
            run = run.lowerBound..<(run.upperBound &+ 1)
        } else {
            flush(to: &output)
            output.append(byte)
        }
    }

    @inline(__always)
    private mutating func flush(to output: inout [UInt8]) {
        if !run.isEmpty { output.append(contentsOf: UnsafeBufferPointer(rebasing: text[run])) }
        run = run.upperBound..<run.upperBound
    }

    // MARK: Order of keys

    /// Whether the keys ascend and none is written twice, as in what is canonical already.
    private func isSorted(_ index: Int, _ node: JSONNode) -> Bool {
        var key = index &+ 1
        let end = Int(node.next)
        guard key < end else { return true }
        var previous = tape.nodes[key]
        guard !previous.isEscaped else { return false }
        key = Int(tape.nodes[key &+ 1].next)
        while key < end {
            let current = tape.nodes[key]
            guard !current.isEscaped, compareBytes(contents(previous), contents(current)) < 0 else { return false }
            previous = current
            key = Int(tape.nodes[key &+ 1].next)
        }
        return true
    }

    /// The key nodes in canonical order; of a key that is written twice, the last.
    private func sortedKeys(_ index: Int, _ node: JSONNode) -> [Int] {
        var keys: [SortedKey] = []
        keys.reserveCapacity(node.count)
        var key = index &+ 1
        while key < Int(node.next) {
            keys.append(SortedKey(node: key, contents: contents(tape.nodes[key]), isEscaped: tape.nodes[key].isEscaped))
            key = Int(tape.nodes[key &+ 1].next)
        }
        keys.sort { a, b in
            let order = a.compare(b)
            return order == 0 ? a.node < b.node : order < 0
        }
        var sorted: [Int] = []
        sorted.reserveCapacity(keys.count)
        for (offset, key) in keys.enumerated() where offset + 1 == keys.count || keys[offset + 1].compare(key) != 0 {
            sorted.append(key.node)
        }
        return sorted
    }

    /// What stands between the quotes of a string.
    @inline(__always)
    private func contents(_ node: JSONNode) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: text[(Int(node.start) &+ 1)..<(Int(node.end) &- 1)])
    }

    private func isKey(_ key: Int, _ wanted: String) -> Bool {
        wanted.withUTF8Bytes { tape.nodes[key].isKey($0, in: text) }
    }
}

/// A key of an object that is being sorted. Lives as long as the text it points into.
private struct SortedKey {
    let node: Int
    /// The first eight bytes of the key, the first the most significant, zeros behind a shorter one: mostly enough to tell two apart.
    private let start: UInt64
    private let contents: UnsafeBufferPointer<UInt8>
    /// The key without its escapes, if it has some.
    private let decoded: [UInt8]?

    init(node: Int, contents: UnsafeBufferPointer<UInt8>, isEscaped: Bool) {
        self.node = node
        self.contents = contents
        decoded = isEscaped ? JSONEscape.decoded(contents) : nil
        start = decoded?.withUnsafeBufferPointer(Self.start) ?? Self.start(contents)
    }

    private static func start(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var start: UInt64 = 0
        for index in 0..<min(8, bytes.count) { start |= UInt64(bytes[index]) << UInt64(56 &- 8 &* index) }
        return start
    }

    /// Negative, zero or positive as this key sorts before, with or after `other`.
    func compare(_ other: SortedKey) -> Int {
        if start != other.start { return start < other.start ? -1 : 1 }
        return withBytes { own in other.withBytes { compareBytes(own, $0) } }
    }

    private func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        if let decoded { return decoded.withUnsafeBufferPointer(body) }
        return body(contents)
    }
}
