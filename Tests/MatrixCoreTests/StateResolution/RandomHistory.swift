import MatrixCore

/// Random numbers that are the same every time: SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A room that some people have quarrelled in, on several forks at once, written down by the seed.
struct RandomHistory {
    private(set) var room: SimulatedRoom
    /// The ends of the forks.
    private(set) var heads: [String]
    private var random: SeededGenerator
    private var number = 0

    private static let users = (1...6).map { "@user\($0):a.example" }
    private static let everyone = users + [SimulatedRoom.creator]

    /// - Parameter liesAboutDepth: whether events claim any depth.
    init(_ version: RoomVersion, seed: UInt64, events: Int, liesAboutDepth: Bool = false) throws {
        random = SeededGenerator(seed: seed)
        var levels: [String: Int64] = [:]
        for user in Self.users.prefix(3) { levels[user] = [50, 60, 100].randomElement(using: &random) }
        room = try SimulatedRoom(version, users: levels, joinRule: Bool.random(using: &random) ? "public" : "invite")
        heads = ["rules"]
        for user in Self.users.prefix(4) {
            let name = nextName()
            try room.join(name, by: user, after: heads)
            heads = [name]
        }
        for _ in 0..<events { try step(liesAboutDepth) }
    }

    /// Names in an order of their own, so that ties are not broken by age.
    private mutating func nextName() -> String {
        number += 1
        return "e\(random.next() % 1000)-\(number)"
    }

    /// Sends something random, where a fork ends, where all meet, or where a new one begins.
    private mutating func step(_ liesAboutDepth: Bool) throws {
        let roll = Int.random(in: 0..<10, using: &random)
        let start: [String]
        if roll < 2 {
            start = heads
        } else if roll < 5, let old = room.ids.suffix(12).randomElement(using: &random) {
            start = [room.name(of: old)]
        } else {
            start = [heads.randomElement(using: &random) ?? "rules"]
        }
        let name = nextName()
        let (type, stateKey, content, sender) = draft()
        // Few times, so that there are ties.
        let time = Int64.random(in: 1...20, using: &random) * 1000
        let depth: Int64? = liesAboutDepth ? Int64.random(in: 0...40, using: &random) : nil
        try room.send(name, type, stateKey, content, by: sender, after: start, time: time, depth: depth)
        heads.removeAll { start.contains($0) }
        heads.append(name)
        if heads.count > 4 { heads.removeFirst() }
    }

    private mutating func draft() -> (ByteString, ByteString, JSONObject, String) {
        let sender = Self.everyone.randomElement(using: &random) ?? SimulatedRoom.creator
        let target = Self.users.randomElement(using: &random) ?? sender
        switch Int.random(in: 0..<12, using: &random) {
        case 0...1: return ("m.room.topic", "", ["topic": .int(Int64(number))], sender)
        case 2: return ("m.room.name", "", ["name": .int(Int64(number))], sender)
        case 3...4: return ("m.room.member", ByteString(target), ["membership": "join"], target)
        case 5: return ("m.room.member", ByteString(target), ["membership": "leave"], target)
        case 6: return ("m.room.member", ByteString(target), ["membership": "ban"], sender)
        case 7: return ("m.room.member", ByteString(target), ["membership": "leave"], sender)
        case 8: return ("m.room.member", ByteString(target), ["membership": "invite"], sender)
        case 9:
            let rule = ["public", "invite"].randomElement(using: &random) ?? "public"
            return ("m.room.join_rules", "", ["join_rule": .string(rule)], sender)
        default:
            var users: [String: Int64] = [:]
            for user in Self.users.prefix(4) where Bool.random(using: &random) {
                users[user] = [0, 50, 60, 100].randomElement(using: &random)
            }
            return ("m.room.power_levels", "", room.levels(users), sender)
        }
    }

    /// Some states of the room to resolve: mostly those at the heads, sometimes any.
    mutating func states() -> [StateMap] {
        let count = Int.random(in: 2...4, using: &random)
        let ids =
            Bool.random(using: &random)
            ? heads.map(room.eventID) : (0..<count).compactMap { _ in room.ids.randomElement(using: &random) }
        return ids.compactMap { room.statesAfter[$0] }
    }

    mutating func shuffled<T>(_ items: [T]) -> [T] { items.shuffled(using: &random) }
}
