// JSON: what is accepted reads back as itself in every form in which it can be written.

import MatrixCore

extension FuzzTarget {
    static let json = FuzzTarget(name: "json") { bytes in
        let readings = [JSONLimits.request, .lenientEvent, .strictEvent].map { limits in
            (limits, accepted { try JSONDocument(parsing: bytes, limits: limits).root })
        }
        for (limits, json) in readings {
            guard let json else { continue }
            checkCanonical(json, limits)
            checkReading(json)
        }
        // Canonical JSON is JSON, and a tree of it loses nothing.
        if let strict = readings[2].1 {
            require(readings[1].1?.canonicalBytes == strict.canonicalBytes, "strict and lenient reading differ")
            require(strict.value.canonicalBytes == strict.canonicalBytes, "the tree differs from the tape")
            require(strict.value == JSONValue(strict), "a tree differs from itself")
        }
        // Meant for what was parsed before: whatever the bytes are, it stays within them.
        let id = EventID(trusted: "$id")
        let rendered = ClientEventFormat.render(pdu: bytes, id: id, version: .v12) + [UInt8(ascii: "}")]
        if readings[1].1?.isObject == true {
            require(accepted { try JSONDocument(parsing: rendered, limits: .lenientEvent) } != nil, "the event for clients is no JSON")
        }
    }

    private static func checkCanonical(_ json: JSON, _ limits: JSONLimits) {
        let canonical = json.canonicalBytes
        guard let again = accepted({ try JSONDocument(parsing: canonical, limits: limits).root }) else {
            fatalError("the canonical form is no JSON")
        }
        require(again.canonicalBytes == canonical, "the canonical form is not canonical")
        var writer = JSONWriter()
        writer.json(json)
        require(writer.bytes[...] == json.bytes, "a spliced value is not what was read")
        for key in json.members.prefix(4).map(\.key.string) {
            let without = json.canonicalBytes(omitting: [key])
            let shorter = accepted { try JSONDocument(parsing: without, limits: limits).root }
            require(shorter?[key] == nil && shorter?.isObject == true, "an omitted key is still there")
        }
    }

    /// Asks every value everything.
    private static func checkReading(_ json: JSON) {
        _ = (json.bool, json.double, json.int, json.isNull, json[json.count], json["a"])
        if let text = json.string {
            var writer = JSONWriter()
            writer.string(text)
            let again = accepted { try JSONDocument(parsing: writer.bytes).root }
            require(again?.byteString == ByteString(text) && again?.isString(text) == true, "a string is not what was written")
        }
        var count = 0
        for element in json.elements {
            if count < 4 { require(json[count].map { $0.byteRange == element.byteRange } == true, "an element is not where it stands") }
            checkReading(element)
            count += 1
        }
        for (key, value) in json.members {
            if count < 4 { require(json[key] != nil && json[key.string] != nil, "a key is not found") }
            checkReading(value)
            count += 1
        }
        require(count == json.count, "the count is wrong")
    }
}
