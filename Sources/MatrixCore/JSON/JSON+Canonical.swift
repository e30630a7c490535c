// A parsed value as canonical JSON. Appendices §Canonical JSON.

extension JSON {
    /// Writes the value without white space, keys sorted bytewise, strings with the fewest escapes, `-0` as `0`.
    ///
    /// A number with a fraction or an exponent becomes an integer where it is one (`1e10`); where not, it is written in
    /// its shortest form, since canonical JSON has none: events that may not hold it are refused when they are parsed. In events
    /// of old rooms all such numbers keep their form (``JSONLimits/Numbers/event``).
    package func writeCanonical(to writer: inout JSONWriter) {
        writeCanonical(to: &writer, omitting: [])
    }

    /// The same for an object, without some of its own keys.
    package func writeCanonical(to writer: inout JSONWriter, omitting omitted: [String]) {
        writer.beginValue()
        tape.bytes.withUnsafeBufferPointer { text in
            var encoder = CanonicalEncoder(tape: tape, text: text)
            encoder.encode(index, omitting: omitted, to: &writer.bytes)
        }
        writer.endValue()
    }

    package var canonicalBytes: [UInt8] { canonicalBytes(omitting: []) }

    package func canonicalBytes(omitting omitted: [String]) -> [UInt8] {
        // Only numbers grow on the way to their canonical form.
        var writer = JSONWriter(capacity: byteRange.count)
        writeCanonical(to: &writer, omitting: omitted)
        return writer.bytes
    }
}
