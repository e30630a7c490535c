// What it costs to resolve two forks of a room, by the size of the room and by the size of the difference.
// Rooms v2, v12 §State resolution.

import MatrixCore

func stateResolutionBenchmarks(_ report: inout Report) throws {
    for version in [RoomVersion.v11, .v12] {
        let rooms = try [1_000, 10_000, 100_000].map { try LargeRoom(version, members: $0) }
        let times = try Stopwatch.seconds(rooms.map { room in { try room.resolve(difference: 20) } })
        for (room, time) in zip(rooms, times) {
            report.row(
                "version \(version), \(room.members) members, 20 events differ", Figure.time(time),
                baseline: "1,000 members \(Figure.time(times[0]))", ratio: time / times[0],
                goal: room.members == 10_000 ? .time(atMost: 20e-3, time) : .ratio(atMost: 2, time / times[0]))
        }
        let byDifference = try Stopwatch.seconds([20, 200, 2_000].map { count in { try rooms[1].resolve(difference: count) } })
        for (count, time) in zip([200, 2_000], byDifference.dropFirst()) {
            let ratio = time / byDifference[0]
            report.row(
                "  10,000 members, \(count) events differ", Figure.time(time),
                baseline: "20 events \(Figure.time(byDifference[0]))", ratio: ratio, goal: .ratio(atMost: Double(count) / 20 * 2, ratio))
        }
    }
}

/// A room of many members which has two forks: admins quarrel, members come, go and change their names on both of them.
///
/// Events have short names for IDs and are not signed: neither makes a difference here.
private struct LargeRoom {
    let version: RoomVersion
    let members: Int
    private let room: RoomID
    private var pool = EventPool()
    /// The pool as it was when the forks had so many events.
    private var pools: [Int: EventPool] = [:]
    private var base: StateMap = [:]
    /// What each fork changed, in the order of its events, in turns.
    private var changes: [(fork: Int, key: StateKey, event: EventID)] = []

    private static let create = EventID(trusted: "$" + String(repeating: "c", count: 43))
    private static let creator = UserID(trusted: "@creator:example.org")

    init(_ version: RoomVersion, members: Int) throws {
        self.version = version
        self.members = members
        room = version.createEventDecidesRoomID ? RoomID(createEvent: Self.create) : RoomID(trusted: "!room:example.org")
        let listed: JSONObject = version.creatorsHaveInfinitePower ? [:] : [Self.creator.string: 100]
        let create: JSONObject = ["room_version": .string(version.id), "creator": .string(Self.creator.string)]
        func draft(_ type: ByteString, _ content: JSONObject) -> EventDraft {
            EventDraft(type: type, stateKey: "", content: content, sender: Self.creator)
        }
        base[.create] = try add(Self.create, draft("m.room.create", create), auth: [])
        try setBase("creator", member(Self.creator, "join"))
        try setBase("power", draft("m.room.power_levels", ["users": .object(listed)]))
        try setBase("rules", draft("m.room.join_rules", ["join_rule": "public"]))
        for number in 0..<members { try setBase("member\(number)", member(Self.user(number), "join")) }
        try fork(differences: [20, 200, 2_000])
    }

    private static func user(_ number: Int) -> UserID { UserID(trusted: "@user\(number):example.org") }

    private func member(_ user: UserID, _ membership: String, by sender: UserID? = nil) -> EventDraft {
        EventDraft(type: "m.room.member", stateKey: user.text, content: ["membership": .string(membership)], sender: sender ?? user)
    }

    private mutating func setBase(_ name: String, _ draft: EventDraft) throws {
        let key = StateKey(type: draft.type, stateKey: draft.stateKey ?? "")
        base[key] = try add(name, draft, in: base)
    }

    private mutating func fork(differences: [Int]) throws {
        // Copies of the state share nothing that a change has to be found in: they are used to select auth events only.
        var states = [base, base]
        for number in 0..<(differences.max() ?? 0) {
            let fork = number % 2
            let user = Self.user(number / 2 * 7 % members)
            let draft =
                switch number % 10 {
                case 0: EventDraft(type: "m.room.topic", stateKey: "", content: ["topic": .int(Int64(number))], sender: Self.creator)
                case 1: member(user, "ban", by: Self.creator)
                case 2 where number % 100 == 2:
                    EventDraft(
                        type: "m.room.power_levels", stateKey: "", content: powerLevels(with: user, level: Int64(number % 50)),
                        sender: Self.creator)
                case 3: member(user, "leave", by: user)
                default:
                    EventDraft(
                        type: "m.room.member", stateKey: user.text, content: ["membership": "join", "displayname": .int(Int64(number))],
                        sender: user)
                }
            let key = StateKey(type: draft.type, stateKey: draft.stateKey ?? "")
            let id = try add("fork\(number)", draft, in: states[fork])
            states[fork][key] = id
            changes.append((fork, key, id))
            if differences.contains(changes.count) { pools[changes.count] = pool }
        }
    }

    private func powerLevels(with user: UserID, level: Int64) -> JSONObject {
        var users: JSONObject = version.creatorsHaveInfinitePower ? [:] : [Self.creator.string: 100]
        users[user.string] = .int(level)
        return ["users": .object(users)]
    }

    private mutating func add(_ name: String, _ draft: EventDraft, in state: StateMap) throws -> EventID {
        try add(EventID(trusted: "$" + name), draft, auth: authEventKeys(for: draft, version: version).compactMap { state[$0] })
    }

    private mutating func add(_ id: EventID, _ draft: EventDraft, auth: [EventID]) throws -> EventID {
        var writer = JSONWriter(capacity: 512)
        writer.object { writer in
            writer.member("auth_events", auth)
            writer.member("content", raw: draft.content)
            writer.member("depth", pool.count)
            writer.member("origin_server_ts", 1_700_000_000_000 + pool.count)
            writer.member("prev_events", auth.suffix(1))
            if draft.type != "m.room.create" || !version.createEventDecidesRoomID { writer.member("room_id", room) }
            writer.member("sender", draft.sender)
            writer.member("state_key", draft.stateKey ?? "")
            writer.member("type", draft.type)
        }
        pool.insert(try Event(trusted: writer.bytes, id: id, version: version))
        return id
    }

    /// Resolves the forks after their first `difference` events together.
    func resolve(difference: Int) throws -> Int {
        var forks = [StateChanges(), StateChanges()]
        for change in changes.prefix(difference) { forks[change.fork].set[change.key] = change.event }
        let resolved = try StateResolution.resolve(
            StateForks(forks) { base[$0] }, over: { base[$0] }, in: room, version: version, events: pools[difference] ?? pool)
        return resolved.set.count
    }
}
