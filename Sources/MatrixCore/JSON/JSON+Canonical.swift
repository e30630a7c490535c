// Writes a parsed value as canonical JSON. Appendices §Canonical JSON.

extension JSON {
    /// Writes the value without white space, keys sorted bytewise, strings with the fewest escapes, `-0` as `0`.
    ///
    /// A number with a fraction or an exponent becomes an integer where it is one (`1e10`); where not, it is written in
    /// its shortest form, since canonical JSON has none: events that may not hold it are refused when they are parsed.
    package func writeCanonical(to writer: inout JSONWriter) {
        writeCanonical(to: &writer, omitting: [])
    }

    /// The same for an object, without some of its own keys.
    package func writeCanonical(to writer: inout JSONWriter, omitting omitted: [String]) {
        writer.beginValue()
        CanonicalEncoder(tape: tape).write(index, omitting: omitted, to: &writer.bytes)
        writer.endValue()
    }

    package var canonicalBytes: [UInt8] { canonicalBytes(omitting: []) }

    package func canonicalBytes(omitting omitted: [String]) -> [UInt8] {
        var writer = JSONWriter(capacity: bytes.count)
        writeCanonical(to: &writer, omitting: omitted)
        return writer.bytes
    }
}

private struct CanonicalEncoder {
    let tape: JSONTape

    func write(_ index: Int, omitting omitted: [String] = [], to bytes: inout [UInt8]) {
        let node = tape.nodes[index]
        switch node.tag {
        case JSONNode.Tag.object: writeObject(index, node, omitting: omitted, to: &bytes)
        case JSONNode.Tag.array: writeArray(index, node, to: &bytes)
        case JSONNode.Tag.string where node.isEscaped: writeEscapedString(node, to: &bytes)
        case JSONNode.Tag.integer: writeInteger(node, to: &bytes)
        case JSONNode.Tag.number: writeNumber(node, to: &bytes)
        default: splice(node, to: &bytes)
        }
    }

    private func writeObject(_ index: Int, _ node: JSONNode, omitting omitted: [String], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        var isFirst = true
        func writeMember(at key: Int, to bytes: inout [UInt8]) {
            guard omitted.isEmpty || !omitted.contains(where: { isKey(key, $0) }) else { return }
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            write(key, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            write(key + 1, to: &bytes)
        }
        if isSorted(index, node) {
            var key = index + 1
            while key < Int(node.next) {
                writeMember(at: key, to: &bytes)
                key = Int(tape.nodes[key + 1].next)
            }
        } else {
            for key in sortedKeys(index, node) { writeMember(at: key, to: &bytes) }
        }
        bytes.append(UInt8(ascii: "}"))
    }

    private func writeArray(_ index: Int, _ node: JSONNode, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "["))
        var element = index + 1
        while element < Int(node.next) {
            if element > index + 1 { bytes.append(UInt8(ascii: ",")) }
            write(element, to: &bytes)
            element = Int(tape.nodes[element].next)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private func writeEscapedString(_ node: JSONNode, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        tape.withContents(of: node) { contents in
            JSONEscape.decode(contents) {
                bytes.append(contentsOf: $0)
            } scalar: { scalar in
                switch scalar.value {
                case ..<0x20, 0x22, 0x5C: JSONEscape.append(UInt8(truncatingIfNeeded: scalar.value), to: &bytes)
                default: bytes.append(contentsOf: scalar.utf8)
                }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private func writeInteger(_ node: JSONNode, to bytes: inout [UInt8]) {
        let isMinusZero = node.end - node.start == 2 && tape.bytes[node.range].elementsEqual("-0".utf8)
        if isMinusZero { bytes.append(UInt8(ascii: "0")) } else { splice(node, to: &bytes) }
    }

    private func writeNumber(_ node: JSONNode, to bytes: inout [UInt8]) {
        let text = tape.withBytes(of: node) { String(decoding: $0, as: UTF8.self) }
        JSONNumber.append(Double(text) ?? 0, to: &bytes)
    }

    private func splice(_ node: JSONNode, to bytes: inout [UInt8]) {
        tape.withBytes(of: node) { bytes.append(contentsOf: $0) }
    }

    // MARK: Order of keys

    /// Whether the keys ascend and none is written twice, as in what is canonical already.
    private func isSorted(_ index: Int, _ node: JSONNode) -> Bool {
        tape.bytes.withUnsafeBufferPointer { text in
            var previous: JSONNode?
            var key = index + 1
            while key < Int(node.next) {
                let current = tape.nodes[key]
                guard !current.isEscaped else { return false }
                if let previous, compareBytes(contents(previous, text), contents(current, text)) >= 0 { return false }
                previous = current
                key = Int(tape.nodes[key + 1].next)
            }
            return true
        }
    }

    /// The key nodes in canonical order; of a key that is written twice, the last.
    private func sortedKeys(_ index: Int, _ node: JSONNode) -> [Int] {
        var keys: [(text: ByteString, position: Int)] = []
        keys.reserveCapacity(node.count)
        var key = index + 1
        while key < Int(node.next) {
            keys.append((JSON(tape: tape, index: key).byteString ?? "", key))
            key = Int(tape.nodes[key + 1].next)
        }
        keys.sort { a, b in a.text == b.text ? a.position < b.position : a.text < b.text }
        var sorted: [Int] = []
        sorted.reserveCapacity(keys.count)
        for (offset, key) in keys.enumerated() where offset + 1 == keys.count || keys[offset + 1].text != key.text {
            sorted.append(key.position)
        }
        return sorted
    }

    private func contents(_ node: JSONNode, _ text: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: text[(Int(node.start) + 1)..<(Int(node.end) - 1)])
    }

    private func isKey(_ key: Int, _ wanted: String) -> Bool {
        wanted.withUTF8Bytes { wanted in tape.bytes.withUnsafeBufferPointer { tape.nodes[key].isKey(wanted, in: $0) } }
    }
}
