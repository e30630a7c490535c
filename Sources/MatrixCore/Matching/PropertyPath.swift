// Dot-separated property paths, as push rules and filters use them. Appendices §Dot-separated property paths.

/// The way to a property of an event, for example `content.m\.relates_to.rel_type`.
package struct PropertyPath: Hashable, Sendable {
    /// The property names from the outermost inwards, without escapes. Never empty.
    package let names: [ByteString]

    /// A backslash makes the dot or backslash behind it part of the name; before anything else it stands for itself.
    package init(_ text: String) {
        let dot = UInt8(ascii: ".")
        let backslash = UInt8(ascii: "\\")
        var names: [ByteString] = []
        var name: [UInt8] = []
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped {
                if byte != dot && byte != backslash { name.append(backslash) }
                name.append(byte)
                isEscaped = false
            } else if byte == backslash {
                isEscaped = true
            } else if byte == dot {
                names.append(ByteString(String(decoding: name, as: UTF8.self)))
                name.removeAll()
            } else {
                name.append(byte)
            }
        }
        if isEscaped { name.append(backslash) }
        names.append(ByteString(String(decoding: name, as: UTF8.self)))
        self.names = names
    }

    /// The property of `event` at this path.
    package func value(in event: JSON) -> JSON? {
        Self.value(at: names[...], in: event)
    }

    static func value(at names: ArraySlice<ByteString>, in object: JSON) -> JSON? {
        var value = object
        for name in names {
            guard let next = value[name] else { return nil }
            value = next
        }
        return value
    }
}
