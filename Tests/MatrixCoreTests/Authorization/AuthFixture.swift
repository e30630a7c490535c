import MatrixCore
import Testing

/// A room made of real, signed events, of which tests change one thing at a time.
///
/// `@creator`, `@admin` (level 100), `@mod` (level 50) and `@alice` (level 0) are joined; `@bob` has never been there.
struct AuthFixture {
    let version: RoomVersion
    let create: Event
    private(set) var state: [StateKey: Event] = [:]

    static let key = SigningKey.generate(version: "test")
    static let creator = "@creator:a.example"

    init(_ version: RoomVersion, create content: JSONObject = [:], powerLevels: JSONObject? = nil) throws {
        self.version = version
        var content = content
        content["room_version"] = .string(version.id)
        if !version.creatorFromSender { content["creator"] = .string(Self.creator) }
        create = try Self.build(
            EventDraft(type: "m.room.create", stateKey: "", content: content, sender: UserID(parsing: Self.creator)),
            room: version.createEventDecidesRoomID ? nil : RoomID(parsing: "!room:a.example"), version: version, prev: [])
        state[.create] = create
        try set("m.room.member", ByteString(Self.creator), ["membership": "join"], by: Self.creator)
        try set("m.room.power_levels", "", powerLevels ?? Self.powerLevels(version), by: Self.creator)
        for user in ["@admin:a.example", "@mod:a.example", "@alice:a.example"] {
            try setMember(user, "join")
        }
    }

    /// The fixture's power levels with `changes` on top; a change to `.null` removes the property.
    static func powerLevels(_ version: RoomVersion, _ changes: JSONObject = [:]) -> JSONObject {
        var users: JSONObject = ["@admin:a.example": 100, "@mod:a.example": 50]
        if !version.creatorsHaveInfinitePower { users[creator] = 100 }
        var content: JSONObject = [
            "users": .object(users), "events": ["org.example.high": 50, "m.room.tombstone": 100], "invite": 50,
            "notifications": ["room": 50],
        ]
        for (name, value) in changes { content[name] = value.isNull ? Optional.none : value }
        return content
    }

    /// Puts an event into the room's state without asking whether it is allowed.
    mutating func set(_ type: ByteString, _ stateKey: ByteString, _ content: JSONObject, by sender: String) throws {
        state[StateKey(type: type, stateKey: stateKey)] = try event(type, stateKey, content, by: sender)
    }

    mutating func setMember(_ user: String, _ membership: String) throws {
        try set("m.room.member", ByteString(user), ["membership": .string(membership)], by: user)
    }

    mutating func setJoinRule(_ rule: String) throws {
        try set("m.room.join_rules", "", ["join_rule": .string(rule)], by: Self.creator)
    }

    mutating func remove(_ key: StateKey) {
        state[key] = nil
    }

    /// An event of this room. Its previous events are some other event's unless they are given.
    func event(
        _ type: ByteString, _ stateKey: ByteString?, _ content: JSONObject, by sender: String, prev: [EventID]? = nil
    ) throws -> Event {
        try Self.build(
            EventDraft(type: type, stateKey: stateKey, content: content, sender: UserID(parsing: sender)),
            room: create.roomID, version: version, prev: prev ?? [EventID(trusted: "$previous")])
    }

    static func build(_ draft: EventDraft, room: RoomID?, version: RoomVersion, prev: [EventID]) throws -> Event {
        try Event.build(
            draft, roomID: room, version: version, prevEvents: prev, authEvents: [],
            referenceHashes: Dictionary(uniqueKeysWithValues: prev.map { ($0, "hash") }), depth: 1,
            originServerTimestamp: Timestamp(milliseconds: 1), origin: ServerName(parsing: "a.example"), key: key)
    }

    /// The number of the rule that refuses `event`; `nil` when it is allowed.
    func refusal(of event: Event) -> String? {
        do {
            try authorize(event, against: AuthEventState(events: state.values, version: version), version: version)
            return nil
        } catch {
            return error.rule
        }
    }
}

/// One line of a table: a sentence about who does what, and the rule of room version 12's text that refuses it.
struct AuthCase: Sendable, CustomTestStringConvertible {
    let sentence: String
    /// Changes the room before.
    let given: @Sendable (inout AuthFixture) throws -> Void
    let when: @Sendable (AuthFixture) throws -> Event
    /// `nil` when the event is allowed.
    private var refusedBy: @Sendable (RoomVersion) -> String?

    init(
        _ sentence: String, refusedBy: String?, given: @escaping @Sendable (inout AuthFixture) throws -> Void = { _ in },
        when: @escaping @Sendable (AuthFixture) throws -> Event
    ) {
        self.sentence = sentence
        self.refusedBy = { _ in refusedBy }
        self.given = given
        self.when = when
    }

    /// The same where the room version has the trait; where it has not, `rule` refuses the event, or nothing does.
    func unless(_ trait: @escaping @Sendable (RoomVersion) -> Bool, _ rule: String?) -> AuthCase {
        var other = self
        let refusedBy = refusedBy
        other.refusedBy = { version in trait(version) ? refusedBy(version) : rule }
        return other
    }

    var testDescription: String { sentence }

    /// The rule that refuses the event in a room of `version`.
    func refusal(in version: RoomVersion) throws -> String? {
        var room = try AuthFixture(version)
        try given(&room)
        return room.refusal(of: try when(room))
    }

    /// The expected rule as the text of `version` numbers it.
    func refusedBy(in version: RoomVersion) -> String? {
        refusedBy(version).flatMap { AuthRuleNumbers.number($0, in: version) ?? "a rule that the version lacks: \($0)" }
    }
}
