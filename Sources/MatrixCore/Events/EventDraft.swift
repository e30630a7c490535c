// What becomes an event of this server. Server-Server API §Adding hashes and signatures to outgoing events.

/// What a user wants to send; the room adds where it stands in the graph.
package struct EventDraft: Sendable {
    package var type: ByteString
    package var stateKey: ByteString?
    /// A JSON object in any form.
    package var content: [UInt8]
    package var sender: UserID
    /// For `m.room.redaction`: goes into the content since room version 11, beside it before.
    package var redacts: EventID?

    package init(type: ByteString, stateKey: ByteString? = nil, content: [UInt8], sender: UserID, redacts: EventID? = nil) {
        self.type = type
        self.stateKey = stateKey
        self.content = content
        self.sender = sender
        self.redacts = redacts
    }

    package init(type: ByteString, stateKey: ByteString? = nil, content: JSONObject, sender: UserID, redacts: EventID? = nil) {
        self.init(type: type, stateKey: stateKey, content: content.canonicalBytes, sender: sender, redacts: redacts)
    }
}

/// The events that an event of room versions 1 and 2 names are named with their reference hashes, in unpadded Base64
/// (``Event/referenceHash()``). Later versions need none: their event IDs are the hashes.
package typealias ReferenceHashes = [EventID: String]

/// The keys of a new event. They are written in canonical order, so that no tree has to be sorted.
struct UnsignedPDU {
    let draft: EventDraft
    let content: [UInt8]
    let roomID: RoomID?
    let version: RoomVersion
    /// Room versions 1 and 2 only.
    let eventID: EventID?
    let prevEvents: [EventID]
    let authEvents: [EventID]
    let referenceHashes: ReferenceHashes
    let depth: Int64
    let originServerTimestamp: Timestamp

    func bytes(contentHash: String?, signature: EventSignature?) -> [UInt8] {
        var writer = JSONWriter(capacity: content.count + 1024)
        writer.object { writer in
            write(authEvents, as: "auth_events", to: &writer)
            writer.member("content", raw: content)
            writer.member("depth", depth)
            if let eventID {
                writer.member("event_id", eventID)
            }
            if let contentHash {
                writer.member("hashes", object: { $0.member("sha256", contentHash) })
            }
            writer.member("origin_server_ts", originServerTimestamp)
            write(prevEvents, as: "prev_events", to: &writer)
            if let redacts = draft.redacts, !version.redactsInContent {
                writer.member("redacts", redacts)
            }
            if let roomID {
                writer.member("room_id", roomID)
            }
            writer.member("sender", draft.sender)
            if let signature {
                writer.member(
                    "signatures",
                    object: { $0.member(signature.server.string, object: { $0.member(signature.keyID, signature.signature) }) })
            }
            if let stateKey = draft.stateKey {
                writer.member("state_key", stateKey)
            }
            writer.member("type", draft.type)
        }
        return writer.bytes
    }

    private func write(_ events: [EventID], as key: String, to writer: inout JSONWriter) {
        guard version.eventFormat == .explicitIDs else { return writer.member(key, events) }
        writer.member(
            key,
            array: { writer in
                for event in events {
                    writer.array { pair in
                        pair.string(event.string)
                        pair.object { $0.member("sha256", referenceHashes[event] ?? "") }
                    }
                }
            })
    }
}

/// A signature of an event: whose, by which key, in unpadded Base64.
struct EventSignature {
    let server: ServerName
    let keyID: String
    let signature: String
}
