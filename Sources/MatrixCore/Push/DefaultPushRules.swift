// The rules that every user has. Client-Server API v1.19 §Push Rules, predefined rules.

/// The server's own rules, in the specification's order.
enum DefaultPushRules {
    /// `.m.rule.master`, which stands above all rules, the user's too.
    static let master = PushRule(.override, ".m.rule.master", isEnabled: false, conditions: [], actions: [])

    /// The rules below the user's own of the same kind. But for the two that name the user, they are the same for everybody, and are
    /// kept in memory once.
    static func rules(for user: UserID) -> [PushRule] {
        [suppressNotices, inviteForMe(user), memberEvent, isUserMention(user)] + others
    }

    private static let suppressNotices = PushRule(
        .override, ".m.rule.suppress_notices", conditions: [.eventMatch("content.msgtype", "m.notice")], actions: [])

    private static func inviteForMe(_ user: UserID) -> PushRule {
        PushRule(
            .override, ".m.rule.invite_for_me", conditions: invitation + [.eventMatch("state_key", user.string)], actions: notifyWithSound)
    }

    private static let memberEvent = PushRule(
        .override, ".m.rule.member_event", conditions: [.eventMatch("type", "m.room.member")], actions: [])

    private static func isUserMention(_ user: UserID) -> PushRule {
        PushRule(
            .override, ".m.rule.is_user_mention",
            conditions: [
                PushCondition(json: [
                    "kind": "event_property_contains", "key": #"content.m\.mentions.user_ids"#, "value": .string(user.string),
                ])
            ],
            actions: notifyWithSound + [highlight])
    }

    private static let others: [PushRule] = [
        PushRule(
            .override, ".m.rule.is_room_mention",
            conditions: [
                PushCondition(json: ["kind": "event_property_is", "key": #"content.m\.mentions.room"#, "value": true]),
                PushCondition(json: ["kind": "sender_notification_permission", "key": "room"]),
            ],
            actions: [notify, highlight]),
        PushRule(
            .override, ".m.rule.tombstone",
            conditions: [.eventMatch("type", "m.room.tombstone"), .eventMatch("state_key", "")],
            actions: [notify, highlight]),
        PushRule(.override, ".m.rule.reaction", conditions: [.eventMatch("type", "m.reaction")], actions: []),
        PushRule(
            .override, ".m.rule.room.server_acl",
            conditions: [.eventMatch("type", "m.room.server_acl"), .eventMatch("state_key", "")], actions: []),
        PushRule(
            .override, ".m.rule.suppress_edits",
            conditions: [
                PushCondition(json: [
                    "kind": "event_property_is", "key": #"content.m\.relates_to.rel_type"#, "value": "m.replace",
                ])
            ],
            actions: []),
        PushRule(
            .underride, ".m.rule.call",
            conditions: [.eventMatch("type", "m.call.invite")], actions: [notify, sound("ring")]),
        PushRule(
            .underride, ".m.rule.encrypted_room_one_to_one",
            conditions: [twoMembers, .eventMatch("type", "m.room.encrypted")], actions: notifyWithSound),
        PushRule(
            .underride, ".m.rule.room_one_to_one",
            conditions: [twoMembers, .eventMatch("type", "m.room.message")], actions: notifyWithSound),
        PushRule(
            .underride, ".m.rule.message", conditions: [.eventMatch("type", "m.room.message")], actions: [notify]),
        PushRule(
            .underride, ".m.rule.encrypted", conditions: [.eventMatch("type", "m.room.encrypted")], actions: [notify]),
    ]

    /// MSC4306: events in threads notify those who follow the thread. Mentions and words that a user waits for stand above.
    static let threads: [PushRule] = [
        PushRule(
            .postcontent, ".io.element.msc4306.rule.unsubscribed_thread", conditions: [threadSubscription(false)], actions: []),
        PushRule(
            .postcontent, ".io.element.msc4306.rule.subscribed_thread", conditions: [threadSubscription(true)],
            actions: notifyWithSound),
    ]

    private static func threadSubscription(_ isSubscribed: Bool) -> PushCondition {
        PushCondition(json: ["kind": "io.element.msc4306.thread_subscription", "subscribed": .bool(isSubscribed)])
    }

    private static let invitation: [PushCondition] = [.eventMatch("type", "m.room.member"), .eventMatch("content.membership", "invite")]
    private static let notifyWithSound = [notify, sound("default")]
    private static let notify: JSONValue = "notify"
    private static let highlight: JSONValue = ["set_tweak": "highlight"]
    private static let twoMembers = PushCondition(json: ["kind": "room_member_count", "is": "2"])

    private static func sound(_ name: String) -> JSONValue {
        ["set_tweak": "sound", "value": .string(name)]
    }

    /// Whether the server has a rule of this id, for any user.
    static func contains(_ kind: PushRule.Kind, _ id: ByteString) -> Bool { known.contains(Key(kind: kind, id: id)) }

    private struct Key: Hashable, Sendable {
        let kind: PushRule.Kind
        let id: ByteString
    }

    private static let known = Set(
        ([master] + rules(for: UserID(trusted: "@:")) + threads).map { Key(kind: $0.kind, id: $0.id) })
}
