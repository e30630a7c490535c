// How one event refers to another. Client-Server API §Forming relationships between events.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The `m.relates_to` of an event, as far as servers go by it.
package struct EventRelation: Sendable, Hashable {
    /// `rel_type`.
    package let type: ByteString
    /// The event that is related to, the parent.
    package let target: EventID
    /// What an annotation says, e.g. the emoji of a reaction.
    package let key: ByteString?

    package static let replace: ByteString = "m.replace"
    package static let thread: ByteString = "m.thread"
    package static let reference: ByteString = "m.reference"
    package static let annotation: ByteString = "m.annotation"

    /// The longest `rel_type` that counts, in bytes: as an event's type.
    private static let typeByteLimit = Event.fieldByteLimit

    package init(type: ByteString, target: EventID, key: ByteString? = nil) {
        self.type = type
        self.target = target
        self.key = key
    }

    /// - Returns: nil for a content that relates to nothing, or not in the form that the specification asks for. (A reply alone, by
    ///   `m.in_reply_to`, is no such relation.)
    package init?(content: JSON) {
        guard let relatesTo = content["m.relates_to"], relatesTo.isObject, let type = relatesTo["rel_type"]?.byteString,
            !type.isEmpty, type.count <= EventRelation.typeByteLimit, !type.string.utf8.contains(0),
            let id = relatesTo["event_id"]?.string, let target = try? EventID(parsing: id)
        else { return nil }
        self.init(type: type, target: target, key: relatesTo["key"]?.byteString)
    }

    /// The number under which an annotation is found again: equal for the same type of event with the same key.
    ///
    /// 64 bits of FNV-1a: who makes two keys collide keeps only themselves from using both on one event.
    package func annotationNumber(of eventType: ByteString) -> Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in eventType.string.utf8 { add(byte) }
        add(0xFF)
        for byte in (key?.string ?? "").utf8 { add(byte) }
        return Int64(bitPattern: hash)
    }
}

extension Event {
    /// What the event relates to. Nearly all events relate to nothing, which is found out without parsing the content.
    package var relation: EventRelation? {
        mentionsRelation ? EventRelation(content: content()) : nil
    }

    /// Whether the key is anywhere in the content. Canonical JSON has no other way to write it.
    private var mentionsRelation: Bool {
        let word: StaticString = "\"m.relates_to\""
        // The rarest of its letters is looked for first.
        let place = 10
        let wanted = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        return json.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return false }
            let end = contentRange.upperBound
            var start = contentRange.lowerBound + place
            while start < end, let found = memchr(base + start, CInt(UInt8(ascii: "_")), end - start) {
                let index = base.distance(to: found.assumingMemoryBound(to: UInt8.self))
                let count = min(wanted.count, end - index + place)
                if bytesEqual(UnsafeBufferPointer(start: base + index - place, count: count), wanted) { return true }
                start = index + 1
            }
            return false
        }
    }

    /// Whether the event may stand in for an event of the same sender and type that it relates to by `m.replace`, as far as it can
    /// be told from itself. Client-Server API §Validity of replacement events.
    package var isReplacement: Bool {
        guard stateKey == nil else { return false }
        // The new content of an encrypted event is in what only the clients can read.
        return type == "m.room.encrypted" || content()["m.new_content"]?.isObject == true
    }
}
