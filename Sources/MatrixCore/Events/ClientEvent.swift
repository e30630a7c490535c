// What a client gets of an event. Client-Server API §Room event format; Rooms §Redactions (compatibility of `redacts`).

/// Renders an event once, for all its readers.
package enum ClientEventFormat {
    /// The start of the client's event, up to where `room_id`, `unsigned` and the closing brace belong:
    ///
    ///     {"content":{…},"event_id":"$…","origin_server_ts":…,"sender":"…","state_key":"…","type":"…"
    ///
    /// Readers go on with ``JSONWriter/openRaw(_:)``, members of their own and ``JSONWriter/close()``.
    ///
    /// One scan over the top level; values are spliced as they stand. `redacts` is given both beside the content and in it,
    /// wherever the room version has it: clients old and new look in different places.
    ///
    /// - Parameter pdu: from our own database. Of anything that is no object nothing is shown but the event ID.
    package static func render(pdu: [UInt8], id: EventID, version: RoomVersion) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(pdu.count + 64)
        pdu.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress else { return }
            let fields = TopLevelFields(base: base, count: text.count)
            fields.render(id: id, version: version, to: &output)
        }
        return output
    }
}

/// Where the values stand that a client gets to see.
private struct TopLevelFields {
    let base: UnsafePointer<UInt8>
    var content: Range<Int>?
    var originServerTimestamp: Range<Int>?
    var redacts: Range<Int>?
    var sender: Range<Int>?
    var stateKey: Range<Int>?
    var type: Range<Int>?

    init(base: UnsafePointer<UInt8>, count: Int) {
        self.base = base
        var scanner = MemberScanner(base: base, count: count, start: 0)
        while let (key, value) = scanner.next() {
            // The first letter and the length tell our keys from all others but a few; then the key is compared.
            switch (key.count, base[key.lowerBound]) {
            case (7, UInt8(ascii: "c")) where matches(key, "content"): content = value
            case (16, UInt8(ascii: "o")) where matches(key, "origin_server_ts"): originServerTimestamp = value
            case (7, UInt8(ascii: "r")) where matches(key, "redacts"): redacts = value
            case (6, UInt8(ascii: "s")) where matches(key, "sender"): sender = value
            case (9, UInt8(ascii: "s")) where matches(key, "state_key"): stateKey = value
            case (4, UInt8(ascii: "t")) where matches(key, "type"): type = value
            default: break
            }
        }
    }

    func render(id: EventID, version: RoomVersion, to output: inout [UInt8]) {
        append("{\"content\":", to: &output)
        let isRedaction = type.map { matches($0, "\"m.room.redaction\"") } ?? false
        let redacted = isRedaction ? appendRedactionContent(version, to: &output) : nil
        if !isRedaction { append(content, orElse: "{}", to: &output) }
        append(",\"event_id\":\"", to: &output)
        id.string.withUTF8Bytes { JSONEscape.append($0, to: &output) }
        append("\"", to: &output)
        append(",\"origin_server_ts\":", originServerTimestamp, to: &output)
        append(",\"redacts\":", redacted, to: &output)
        append(",\"sender\":", sender, to: &output)
        append(",\"state_key\":", stateKey, to: &output)
        append(",\"type\":", type, to: &output)
    }

    /// Writes the content with `redacts` in it; returns where its value stands.
    private func appendRedactionContent(_ version: RoomVersion, to output: inout [UInt8]) -> Range<Int>? {
        guard let content, content.count >= 2 else {
            append("{}", to: &output)
            return redacts
        }
        var members = MemberScanner(base: base, count: content.upperBound, start: content.lowerBound)
        var inContent: Range<Int>?
        while let (key, value) = members.next() {
            if matches(key, "redacts") { inContent = value }
        }
        if version.redactsInContent || inContent != nil || redacts == nil {
            append(content, orElse: "{}", to: &output)
            return version.redactsInContent ? inContent : redacts
        }
        output.append(contentsOf: UnsafeBufferPointer(start: base + content.lowerBound, count: content.count - 1))
        append(content.count > 2 ? ",\"redacts\":" : "\"redacts\":", redacts, to: &output)
        append("}", to: &output)
        return redacts
    }

    // MARK: Bytes

    private func matches(_ range: Range<Int>, _ word: StaticString) -> Bool {
        bytesEqual(
            UnsafeBufferPointer(start: base + range.lowerBound, count: range.count),
            UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    private func append(_ word: StaticString, to output: inout [UInt8]) {
        output.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    private func append(_ key: StaticString, _ value: Range<Int>?, to output: inout [UInt8]) {
        guard let value else { return }
        append(key, to: &output)
        output.append(contentsOf: UnsafeBufferPointer(start: base + value.lowerBound, count: value.count))
    }

    private func append(_ value: Range<Int>?, orElse word: StaticString, to output: inout [UInt8]) {
        guard value != nil else { return append(word, to: &output) }
        append("", value, to: &output)
    }
}

/// Goes over the members of one object without looking into their values.
///
/// For JSON that was parsed before: it finds ends, it checks nothing. On other bytes it stops early and never reads beyond them.
private struct MemberScanner {
    let base: UnsafePointer<UInt8>
    let count: Int
    private var position: Int

    init(base: UnsafePointer<UInt8>, count: Int, start: Int) {
        self.base = base
        self.count = count
        position = start
        skipWhitespace()
        if position < count, base[position] == UInt8(ascii: "{") { position += 1 } else { position = count }
    }

    /// The text between the quotes of the next key, undecoded, and the bytes of its value.
    mutating func next() -> (key: Range<Int>, value: Range<Int>)? {
        skipWhitespace()
        if position < count, base[position] == UInt8(ascii: ",") {
            position += 1
            skipWhitespace()
        }
        guard position < count, base[position] == UInt8(ascii: "\"") else { return nil }
        let key = position + 1
        skipString()
        let keyEnd = position - 1
        skipWhitespace()
        guard keyEnd >= key, position < count, base[position] == UInt8(ascii: ":") else { return nil }
        position += 1
        skipWhitespace()
        let value = position
        skipValue()
        return position > value ? (key..<keyEnd, value..<position) : nil
    }

    private mutating func skipValue() {
        guard position < count else { return }
        switch base[position] {
        case UInt8(ascii: "\""): skipString()
        case UInt8(ascii: "{"), UInt8(ascii: "["): skipContainer()
        default:
            while position < count {
                switch base[position] {
                case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), ...0x20: return
                default: position &+= 1
                }
            }
        }
    }

    private mutating func skipContainer() {
        var depth = 0
        while position < count {
            switch base[position] {
            case UInt8(ascii: "\""):
                skipString()
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth &+= 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth &-= 1
                if depth == 0 {
                    position &+= 1
                    return
                }
            default:
                break
            }
            position &+= 1
        }
    }

    /// From the opening quote to behind the closing one.
    private mutating func skipString() {
        position &+= 1
        while true {
            position = ByteScan.endOfUnescapedText(base, from: position, to: count)
            guard position < count else { return }
            switch base[position] {
            case UInt8(ascii: "\""):
                position &+= 1
                return
            case UInt8(ascii: "\\"):
                position = min(position &+ 2, count)
            default:
                position &+= 1
            }
        }
    }

    private mutating func skipWhitespace() {
        while position < count, base[position] <= 0x20 { position &+= 1 }
    }
}
