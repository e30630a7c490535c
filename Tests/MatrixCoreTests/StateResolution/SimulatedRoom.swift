import MatrixCore

/// A room whose graph a test grows by hand: several servers may write at the same time, so it has forks.
///
/// Events are not signed and have short names for IDs. The state before an event is the resolution of the states after its
/// previous events; its auth events are selected from that state, and whether it is rejected is decided against it.
struct SimulatedRoom {
    let version: RoomVersion
    let id: RoomID
    private(set) var pool = EventPool()
    private(set) var events: [EventID: Event] = [:]
    private(set) var rejected: Set<EventID> = []
    /// In order of sending.
    private(set) var ids: [EventID] = []
    private(set) var statesAfter: [EventID: StateMap] = [:]
    /// The `origin_server_ts` of the next event.
    var clock: Int64 = 1000

    static let creator = "@creator:a.example"

    /// A public room in which the creator has joined, with power levels that give `users` what they say.
    init(_ version: RoomVersion, users: [String: Int64] = [:], joinRule: String = "public", extra: JSONObject = [:]) throws {
        self.version = version
        id = version.createEventDecidesRoomID ? RoomID(createEvent: Self.hashedCreate) : RoomID(trusted: "!room:a.example")
        var content: JSONObject = ["room_version": .string(version.id)]
        if !version.creatorFromSender { content["creator"] = .string(Self.creator) }
        try send("create", "m.room.create", "", content, by: Self.creator, after: [])
        try join("creator", by: Self.creator, after: ["create"])
        try send("power", "m.room.power_levels", "", levels(users, extra), by: Self.creator, after: ["creator"])
        try send("rules", "m.room.join_rules", "", ["join_rule": .string(joinRule)], by: Self.creator, after: ["power"])
    }

    /// The content of power levels in which the creator has 100, where creators are listed at all.
    func levels(_ users: [String: Int64], _ extra: JSONObject = [:]) -> JSONObject {
        var entries: JSONObject = version.creatorsHaveInfinitePower ? [:] : [Self.creator: 100]
        for (user, level) in users { entries[user] = .int(level) }
        var content: JSONObject = ["users": .object(entries), "state_default": 50, "ban": 50, "kick": 50, "invite": 0]
        for (key, value) in extra { content[key] = value }
        return content
    }

    /// The create event of a room that is named after it has an ID of the length of a hash.
    private static let hashedCreate = EventID(trusted: "$create" + String(repeating: "_", count: 37))

    func eventID(_ name: String) -> EventID {
        if name == "create", version.createEventDecidesRoomID { return Self.hashedCreate }
        return EventID(trusted: version.eventFormat == .explicitIDs ? "$\(name):a.example" : "$\(name)")
    }

    func name(of id: EventID) -> String { String(id.string.dropFirst().prefix { $0 != ":" }) }

    // MARK: Growing

    @discardableResult
    mutating func join(_ name: String, by user: String, after prev: [String]) throws -> Bool {
        try member(name, user, "join", by: user, after: prev)
    }

    @discardableResult
    mutating func member(
        _ name: String, _ user: String, _ membership: String, by sender: String, after prev: [String], time: Int64? = nil
    ) throws -> Bool {
        try send(name, "m.room.member", ByteString(user), ["membership": .string(membership)], by: sender, after: prev, time: time)
    }

    @discardableResult
    mutating func powerLevels(
        _ name: String, _ users: [String: Int64], _ extra: JSONObject = [:], by sender: String, after prev: [String], time: Int64? = nil
    ) throws -> Bool {
        try send(name, "m.room.power_levels", "", levels(users, extra), by: sender, after: prev, time: time)
    }

    @discardableResult
    mutating func topic(_ name: String, by sender: String, after prev: [String], time: Int64? = nil, depth: Int64? = nil) throws -> Bool {
        try send(name, "m.room.topic", "", ["topic": .string(name)], by: sender, after: prev, time: time, depth: depth)
    }

    /// - Parameters:
    ///   - time: `origin_server_ts`; by default one second after that of the event before.
    ///   - depth: what the event claims; by default what is right.
    ///   - auth: instead of the auth events that the state before has.
    /// - Returns: whether the event was allowed. If not, it is in the room as a rejected one.
    @discardableResult
    mutating func send(
        _ name: String, _ type: ByteString, _ stateKey: ByteString?, _ content: JSONObject, by sender: String, after prev: [String],
        time: Int64? = nil, depth: Int64? = nil, auth: [String]? = nil
    ) throws -> Bool {
        let prev = prev.map(eventID)
        let before = try resolved(prev.compactMap { statesAfter[$0] })
        let draft = EventDraft(type: type, stateKey: stateKey, content: content, sender: UserID(trusted: sender))
        let auth = try auth?.map(eventID) ?? authEventKeys(for: draft, version: version).compactMap { before[$0] }
        clock += 1000
        let event = try event(
            named: name, draft, content, prev: prev, auth: auth, time: time ?? clock,
            depth: depth ?? (prev.compactMap { events[$0]?.depth }.max() ?? 0) + 1)
        let isAllowed = auth.allSatisfy { !rejected.contains($0) } && allows(event, in: before)
        insert(event, isRejected: !isAllowed)
        var after = before
        if isAllowed, let key = event.key { after[key] = event.id }
        statesAfter[event.id] = after
        return isAllowed
    }

    /// Adds an event that no honest server would make, or with a state after it that is not to be computed.
    mutating func insert(_ event: Event, isRejected: Bool = false) {
        events[event.id] = event
        ids.append(event.id)
        if isRejected { rejected.insert(event.id) }
        pool.insert(event, isRejected: isRejected)
    }

    func event(
        named name: String, _ draft: EventDraft, _ content: JSONObject, prev: [EventID], auth: [EventID], time: Int64, depth: Int64
    ) throws -> Event {
        var pdu: JSONObject = [
            "auth_events": references(auth), "prev_events": references(prev), "content": .object(content), "depth": .int(depth),
            "origin_server_ts": .int(time), "sender": .string(draft.sender.string), "type": .string(draft.type.string),
        ]
        if let stateKey = draft.stateKey { pdu["state_key"] = .string(stateKey.string) }
        if !(version.createEventDecidesRoomID && draft.type == "m.room.create") { pdu["room_id"] = .string(id.string) }
        if version.eventFormat == .explicitIDs { pdu["event_id"] = .string(eventID(name).string) }
        return try Event(trusted: pdu.canonicalBytes, id: eventID(name), version: version)
    }

    private func references(_ ids: [EventID]) -> JSONValue {
        .array(ids.map { version.eventFormat == .explicitIDs ? .array([.string($0.string), [:]]) : .string($0.string) })
    }

    private func allows(_ event: Event, in state: StateMap) -> Bool {
        let relevant = authEventKeys(for: event).compactMap { state[$0].flatMap { events[$0] } }
        let create = state[.create].flatMap { events[$0] }
        let considered = AuthEventState(events: relevant + [create].compactMap(\.self), version: version)
        do {
            try authorize(event, against: considered, version: version)
            return true
        } catch {
            return false
        }
    }

    // MARK: Asking

    func resolved(_ states: [StateMap]) throws -> StateMap {
        try StateResolution.resolve(states, in: id, version: version, events: pool)
    }

    /// The resolution of the states after these events.
    func resolved(_ names: [String]) throws -> StateMap {
        try resolved(names.map { statesAfter[eventID($0)] ?? [:] })
    }

    /// The name of the event that holds `key` where these events meet.
    func holder(_ key: StateKey, after names: [String]) throws -> String? {
        try resolved(names)[key].map { name(of: $0) }
    }
}

extension StateKey {
    static func member(_ user: String) -> StateKey { .member(UserID(trusted: user)) }
}
