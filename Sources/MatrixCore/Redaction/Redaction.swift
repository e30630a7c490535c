// The redaction algorithm. Rooms §Redactions.

package enum Redaction {
    /// The event `pdu` without everything that a redaction takes away, as canonical JSON.
    ///
    /// - Parameter omitted: keys of the event that are left out besides; the reference hash leaves out `signatures`.
    package static func redact(_ pdu: JSON, rules: RedactionRules, omitting omitted: String? = nil) -> [UInt8] {
        let type = pdu["type"]?.byteString
        var writer = JSONWriter(capacity: 1024)
        writer.object { writer in
            for key in rules.topLevelKeys where key != omitted {
                guard let value = pdu[key] else { continue }
                writer.key(key)
                if key == "content" {
                    write(content: value, kept: type.flatMap { rules.content[$0] } ?? .keys([]), to: &writer)
                } else {
                    value.writeCanonical(to: &writer)
                }
            }
        }
        return writer.bytes
    }

    private static func write(content: JSON, kept: RedactionRules.KeptContent, to writer: inout JSONWriter) {
        switch kept {
        case .everything:
            content.writeCanonical(to: &writer)
        case .keys(let keys):
            writer.object { writer in
                for key in keys { write(key, of: content, to: &writer) }
            }
        }
    }

    private static func write(_ key: RedactionRules.KeptKey, of content: JSON, to writer: inout JSONWriter) {
        guard let value = content[key.name] else { return }
        guard let inner = key.inner else {
            writer.key(key.name)
            value.writeCanonical(to: &writer)
            return
        }
        // A value of another type has no such keys to keep; what is left of an object without them is `{}`.
        guard value.kind == .object else { return }
        writer.key(key.name)
        writer.object { writer in
            for name in inner {
                guard let innerValue = value[name] else { continue }
                writer.key(name)
                innerValue.writeCanonical(to: &writer)
            }
        }
    }
}
