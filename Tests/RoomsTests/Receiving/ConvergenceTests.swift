import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

/// Servers that hear of each other's events late and in another order.
private struct Network {
    var servers: [FederatedServer]
    let room: RoomID
    /// What each server has not heard yet.
    var queues: [[Event]]

    init(_ version: RoomVersion, _ databases: [any Database]) async throws {
        servers = []
        for (index, database) in databases.enumerated() { servers.append(try await FederatedServer("s\(index)", database)) }
        room = try await servers[0].newRoom(version).id
        queues = servers.map { _ in [] }
        for index in servers.indices.dropFirst() {
            let other = servers[index]
            let handover = try await servers[0].letIn(other.admin, of: other, to: room)
            try await other.rooms.takeOver(handover)
            for earlier in servers.indices where earlier != 0 && earlier < index { queues[earlier].append(handover.join) }
        }
        try await settle()
        try await makeAdminsEqual(version)
    }

    private mutating func makeAdminsEqual(_ version: RoomVersion) async throws {
        var users: JSONObject = [:]
        for server in servers where !(version.createEventDecidesRoomID && server.name == servers[0].name) {
            users[server.admin.text] = 100
        }
        try await send(
            EventDraft(
                type: "m.room.power_levels", stateKey: "",
                content: ["users": .object(users), "state_default": 0, "events": ["m.room.power_levels": 50, "m.room.name": 50]],
                sender: servers[0].admin), from: 0)
        try await settle()
    }

    mutating func send(_ draft: EventDraft, from index: Int) async throws {
        do {
            let before = try await servers[index].state(of: room)
            guard let event = try await servers[index].send(draft, in: room) else { return }
            // What says what the state says already is the event that is there, and nobody is told of it again.
            guard event.key.flatMap({ before[$0] }) != event.id else { return }
            for other in queues.indices where other != index { queues[other].append(event) }
        } catch let error as MatrixError where error.status == 403 || error.errcode == "M_BAD_STATE" {
            // The room does not allow it, here and now.
        }
    }

    /// Delivers one event to a server; one that stands on what the server does not have goes to the end of the queue.
    ///
    /// - Returns: what was missing.
    @discardableResult
    mutating func deliver(to index: Int) async throws -> MissingFoundation? {
        guard !queues[index].isEmpty else { return nil }
        let event = queues[index].removeFirst()
        do {
            _ = try await servers[index].rooms.existing(room).receive(RemoteEvent(event))
            return nil
        } catch let missing as MissingFoundation {
            // A dummy event is told to nobody, but it is there for who asks for it.
            let dummies = try await dummies(missing.missing, notWaitingFor: index)
            queues[index] += dummies + [event]
            return dummies.isEmpty ? missing : nil
        }
    }

    private func dummies(_ ids: [EventID], notWaitingFor index: Int) async throws -> [Event] {
        var found: [Event] = []
        for other in servers.indices where other != index {
            found += try await servers[other].pdus(ids).filter { $0.type == "org.matrix.dummy_event" }
        }
        let waiting = Set(queues[index].map(\.id))
        return found.filter { !waiting.contains($0.id) }
    }

    /// Says of every event that waits what it is, what it lacks, and who has that.
    private func report(_ missing: MissingFoundation, at index: Int) async throws {
        var lines: [String] = []
        for event in queues[index] {
            let standings = try await servers[index].database.read { connection in
                try EventStore.standings(Set(event.prevEvents + event.authEvents), on: connection)
            }
            for id in event.prevEvents + event.authEvents where standings[id]?.isInGraph != true {
                var holders: [String] = []
                for server in servers {
                    for found in try await server.pdus([id]) {
                        let row = try await server.database.read { try EventStore.row(id, on: $0) }
                        holders.append("\(server.name): \(found.type) by \(found.sender), flags \(row?.flags.rawValue ?? -1)")
                    }
                }
                let isWaiting = queues[index].contains { $0.id == id }
                lines.append("\(event.id) (\(event.type) by \(event.sender)) lacks \(id), held by \(holders), waiting: \(isWaiting)")
            }
        }
        Issue.record("\(servers[index].name) lacks \(missing.missing) for \(missing.event): \(lines.joined(separator: "; "))")
    }

    /// Delivers everything.
    mutating func settle() async throws {
        for index in servers.indices {
            var inVain = 0
            while !queues[index].isEmpty {
                guard let missing = try await deliver(to: index) else {
                    inVain = 0
                    continue
                }
                inVain += 1
                // Everything that is left was tried since anything arrived.
                if inVain > queues[index].count {
                    try await report(missing, at: index)
                    throw missing
                }
            }
        }
    }
}

@Suite("Convergence")
struct ConvergenceTests {
    /// How many things happen.
    private static let stepCount = 120

    private func operation(_ network: Network, on index: Int, _ random: inout SeededGenerator) -> EventDraft {
        let server = network.servers[index]
        let other = network.servers.randomElement(using: &random) ?? server
        let names = ["ann", "ben"]
        let user = server.user(names.randomElement(using: &random) ?? "ann")
        func member(_ target: UserID, _ membership: String, by sender: UserID) -> EventDraft {
            EventDraft(type: "m.room.member", stateKey: target.text, content: ["membership": .string(membership)], sender: sender)
        }
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1, 2: return EventDraft(type: "m.room.message", content: ["msgtype": "m.text", "body": "hello"], sender: server.admin)
        case 3: return member(user, "join", by: user)
        case 4: return member(user, "leave", by: user)
        case 5: return member(other.user(names.randomElement(using: &random) ?? "ann"), "ban", by: server.admin)
        case 6: return member(other.user(names.randomElement(using: &random) ?? "ann"), "leave", by: server.admin)
        case 7:
            return EventDraft(
                type: "m.room.topic", stateKey: "", content: ["topic": .int(.random(in: 0..<1000, using: &random))], sender: user)
        case 8:
            return EventDraft(
                type: "m.room.name", stateKey: "", content: ["name": .string("\(Int.random(in: 0..<1000, using: &random))")],
                sender: server.admin)
        default:
            let rule = Bool.random(using: &random) ? "public" : "invite"
            return EventDraft(type: "m.room.join_rules", stateKey: "", content: ["join_rule": .string(rule)], sender: server.admin)
        }
    }

    @Test(
        "servers that hear of everything, late and in any order, end with the same state",
        arguments: [("6", 1), ("8", 2), ("10", 3), ("10", 4), ("11", 5), ("12", 6), ("12", 7)] as [(String, UInt64)])
    func convergence(version: String, seed: UInt64) async throws {
        let roomVersion = try #require(RoomVersion.named(version))
        try await withDatabase(.sqlite) { one in
            try await withDatabase(.sqlite) { two in
                try await withDatabase(seed % 2 == 0 ? .sqlite : .postgres) { three in
                    var random = SeededGenerator(seed: seed)
                    var network = try await Network(roomVersion, [one, two, three])
                    for _ in 0..<Self.stepCount {
                        let index = Int.random(in: 0..<3, using: &random)
                        switch Int.random(in: 0..<20, using: &random) {
                        case 0:
                            network.servers[index] = try await network.servers[index].restarted()
                        case 1..<9:
                            try await network.deliver(to: index)
                        default:
                            try await network.send(operation(network, on: index, &random), from: index)
                        }
                    }
                    try await network.settle()
                    // What some have refused and others have not comes to an end when everybody has spoken once more.
                    for _ in 0..<2 {
                        for index in network.servers.indices {
                            try await network.send(
                                EventDraft(
                                    type: "m.room.message", content: ["msgtype": "m.text", "body": "end"],
                                    sender: network.servers[index].admin),
                                from: index)
                            try await network.settle()
                        }
                    }
                    try await expectAgreement(network)
                }
            }
        }
    }

    private func expectAgreement(_ network: Network) async throws {
        #expect(network.queues.map(\.count) == [0, 0, 0])
        let first = try await network.servers[0].state(of: network.room)
        for server in network.servers {
            let state = try await server.state(of: network.room)
            #expect(state == first, "\(server.name) has another state than \(network.servers[0].name)")
            #expect(try await server.storedState(of: network.room) == state, "\(server.name) has stored another state than it has")
            let room = try await server.rooms.existing(network.room)
            let again = try await server.restarted().rooms.existing(network.room).current
            #expect(again.snapshotID == room.current.snapshotID && again.joinedCount == room.current.joinedCount)
            #expect(
                again.servers == room.current.servers
                    && again.powerLevels.level(of: server.admin) == room.current.powerLevels.level(of: server.admin))
            #expect(room.forwardExtremities.count <= 3)
        }
    }
}
