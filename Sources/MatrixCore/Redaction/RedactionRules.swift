// What survives a redaction, per room version. Rooms §Redactions.

/// The keys that a redaction keeps. All lists are in canonical (byte) order, so that a redacted event is written in one go.
///
/// A class, because every event carries its room version and with it a reference to these tables.
package final class RedactionRules: Sendable {
    /// The kept keys of the event itself.
    let topLevelKeys: [String]
    /// The kept keys of `content` by event type; types not named keep nothing.
    let content: [ByteString: KeptContent]

    private init(topLevelKeys: [String], content: [ByteString: KeptContent]) {
        self.topLevelKeys = topLevelKeys
        self.content = content
    }

    enum KeptContent: Sendable {
        case everything
        case keys([KeptKey])
    }

    struct KeptKey: Sendable, ExpressibleByStringLiteral {
        let name: String
        /// When set, the value is kept only as an object of these keys.
        let inner: [String]?

        init(stringLiteral name: String) { self.init(name, inner: nil) }

        init(_ name: String, inner: [String]?) {
            self.name = name
            self.inner = inner
        }
    }
}

extension RedactionRules {
    /// Room versions 9 and 10.
    static let v9 = RedactionRules(
        topLevelKeys: [
            "auth_events", "content", "depth", "event_id", "hashes", "membership", "origin", "origin_server_ts",
            "prev_events", "prev_state", "room_id", "sender", "signatures", "state_key", "type",
        ],
        content: [
            "m.room.member": .keys(["join_authorised_via_users_server", "membership"]),
            "m.room.create": .keys(["creator"]),
            "m.room.join_rules": .keys(["allow", "join_rule"]),
            "m.room.power_levels": .keys([
                "ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default",
            ]),
            "m.room.history_visibility": .keys(["history_visibility"]),
        ])

    /// Room version 11 and later.
    static let v11 = RedactionRules(
        topLevelKeys: [
            "auth_events", "content", "depth", "event_id", "hashes", "origin_server_ts",
            "prev_events", "room_id", "sender", "signatures", "state_key", "type",
        ],
        content: [
            "m.room.member": .keys([
                "join_authorised_via_users_server", "membership", KeptKey("third_party_invite", inner: ["signed"]),
            ]),
            "m.room.create": .everything,
            "m.room.join_rules": .keys(["allow", "join_rule"]),
            "m.room.power_levels": .keys([
                "ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default",
            ]),
            "m.room.history_visibility": .keys(["history_visibility"]),
            "m.room.redaction": .keys(["redacts"]),
        ])
}
