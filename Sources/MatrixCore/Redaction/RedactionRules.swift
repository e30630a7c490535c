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
    /// The kept keys of the event itself before room version 11.
    private static let protectedKeys = [
        "auth_events", "content", "depth", "event_id", "hashes", "membership", "origin", "origin_server_ts",
        "prev_events", "prev_state", "room_id", "sender", "signatures", "state_key", "type",
    ]

    /// The kept content in the first room version; later ones say what they change.
    private static let protectedContent: [ByteString: KeptContent] = [
        "m.room.member": .keys(["membership"]),
        "m.room.create": .keys(["creator"]),
        "m.room.join_rules": .keys(["join_rule"]),
        "m.room.power_levels": .keys([
            "ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default",
        ]),
        "m.room.aliases": .keys(["aliases"]),
        "m.room.history_visibility": .keys(["history_visibility"]),
    ]

    /// Room versions 1 to 5.
    static let v1 = RedactionRules(topLevelKeys: protectedKeys, content: protectedContent)

    /// Room versions 6 and 7: the aliases of `m.room.aliases` go.
    static let v6 = v1.changing(["m.room.aliases": .keys([])])

    /// Room version 8: the conditions of restricted joins stay.
    static let v8 = v6.changing(["m.room.join_rules": .keys(["allow", "join_rule"])])

    /// Room versions 9 and 10: who authorised a restricted join stays.
    static let v9 = v8.changing(["m.room.member": .keys(["join_authorised_via_users_server", "membership"])])

    /// Room version 11 and later.
    static let v11 = RedactionRules(
        topLevelKeys: protectedKeys.filter { !["membership", "origin", "prev_state"].contains($0) }, content: v9.content
    ).changing([
        "m.room.member": .keys([
            "join_authorised_via_users_server", "membership", KeptKey("third_party_invite", inner: ["signed"]),
        ]),
        "m.room.create": .everything,
        "m.room.power_levels": .keys([
            "ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default",
        ]),
        "m.room.redaction": .keys(["redacts"]),
    ])

    private func changing(_ changes: [ByteString: KeptContent]) -> RedactionRules {
        RedactionRules(topLevelKeys: topLevelKeys, content: content.merging(changes) { _, new in new })
    }
}
