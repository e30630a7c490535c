// The sender on real rooms: who gets what, what is caught up, what survives a restart.

import Federation
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import TestSupport
import Testing

@Suite("The federation sender")
struct FederationSenderTests {
    private typealias Fixture = SendingFixture
    private let a = SendingFixture.a, b = SendingFixture.b
    private let bob = "@bob:a.example", eve = "@eve:b.example"

    // MARK: Events

    @Test("what is said goes to every other server in the room, in order, as it is stored", arguments: DatabaseKind.allCases)
    func events(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            let room = try await server.room(members: [bob, eve])
            let own = try await server.room(members: [])
            try await server.running {
                for number in 0..<60 { try await server.say("m\(number)", in: room) }
                try await server.say("secret", in: own)
                try await eventually { [a, b].allSatisfy { server.servers.bodies(of: $0).count == 60 } }
            }
            for name in [a, b] {
                #expect(server.servers.bodies(of: name) == (0..<60).map { "m\($0)" })
                #expect(server.servers.transactions(of: name).allSatisfy { $0.pdus.count <= 50 })
            }
            let pdu = try #require(server.servers.transactions(of: a).first?.pdus.first)
            let stored = try await database.read { try FederationSendingStore.event(at: pdu.position, on: $0) }
            #expect(stored?.json == pdu.json)
            #expect(server.sender.counts == (0, 0))
        }
    }

    @Test("a server whose last user is removed hears of it, and of nothing after", arguments: DatabaseKind.allCases)
    func removal(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            let room = try await server.room(members: [bob, eve])
            try await server.running {
                try await server.say("before", in: room)
                try await server.setMembership("leave", of: bob, in: room)
                try await server.say("after", in: room)
                try await eventually {
                    let members = server.servers.pdus(of: a).filter { $0["type"]?.isString("m.room.member") == true }
                    return server.servers.bodies(of: b) == ["before", "after"]
                        && members.map { $0["content"]?["membership"]?.string } == ["leave"]
                }
            }
            #expect(server.servers.bodies(of: a) == ["before"])
            let left = try await database.read { try FederationSendingStore.servers(in: room.nid, on: $0) }
            #expect(left == [b])
        }
    }

    @Test("servers that the operator does not allow are not told")
    func whitelist() async throws {
        try await withDatabase(.sqlite) { database in
            var configuration = FederationConfiguration()
            configuration.allowedServers = [b]
            let server = try await Fixture(database, configuration: configuration)
            let room = try await server.room(members: [bob, eve])
            try await server.running {
                try await server.say("hello", in: room)
                try await eventually { server.servers.bodies(of: b) == ["hello"] }
            }
            #expect(server.servers.transactions(of: a).isEmpty)
        }
    }

    // MARK: Away

    @Test(
        "a server that comes back gets the newest event of each room, oldest first, then goes on", arguments: DatabaseKind.allCases)
    func catchUp(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            let first = try await server.room(members: [bob, eve]), second = try await server.room(members: [bob])
            try await server.running {
                server.servers.set(.unreachable(a, "away"), for: a)
                for number in 0..<5 { try await server.say("first \(number)", in: first) }
                for number in 0..<5 { try await server.say("second \(number)", in: second) }
                try await server.say("first last", in: first)
                try await eventually { server.servers.bodies(of: b).last == "first last" }
                try await eventually { server.sender.counts == (0, 1) }
                #expect(server.servers.transactions(of: a).isEmpty)

                server.servers.set(nil, for: a)
                // Whoever is heard of again is told at once.
                try await server.destinations.note(.fails, of: a)
                try await server.destinations.note(.answers, of: a)
                try await eventually { server.servers.bodies(of: a).count == 2 }
                #expect(server.servers.bodies(of: a) == ["second 4", "first last"])
                try await server.say("live", in: second)
                try await eventually { server.servers.bodies(of: a).last == "live" }
            }
            #expect(server.servers.bodies(of: a) == ["second 4", "first last", "live"])
        }
    }

    @Test(
        "what a server has missed is known over a restart, and what it has got is not sent again", arguments: DatabaseKind.allCases)
    func restart(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let servers = FakeServers()
            let server = try await Fixture(database, servers: servers)
            let room = try await server.room(members: [bob, eve])
            try await server.running {
                try await server.say("one", in: room)
                try await eventually { servers.bodies(of: a) == ["one"] && servers.bodies(of: b) == ["one"] }
                servers.set(.unreachable(a, "away"), for: a)
                try await server.say("two", in: room)
                try await eventually { server.sender.counts == (0, 1) && servers.bodies(of: b) == ["one", "two"] }
            }
            // Said while the sender had stopped.
            try await server.say("three", in: room)
            await server.journal.stop()
            servers.set(nil, for: a)

            let restarted = try await Fixture(database, servers: servers)
            try await restarted.running {
                try await eventually { servers.bodies(of: a).last == "three" && servers.bodies(of: b).last == "three" }
                let again = try await restarted.rooms.existing(room.id)
                try await restarted.say("four", in: again)
                try await eventually { servers.bodies(of: a).last == "four" && servers.bodies(of: b).last == "four" }
            }
            // a is caught up with the newest alone; b has missed nothing but the newest.
            #expect(servers.bodies(of: a) == ["one", "three", "four"])
            #expect(servers.bodies(of: b) == ["one", "two", "three", "four"])
            let backlogs = try await database.read { try FederationSendingStore.backlogs(on: $0) }
            #expect(backlogs.isEmpty)
        }
    }

    @Test("a server that was told nothing of its removal hears of it when it comes back", arguments: DatabaseKind.allCases)
    func removedWhileAway(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let servers = FakeServers()
            let server = try await Fixture(database, servers: servers)
            let room = try await server.room(members: [bob])
            servers.set(.unreachable(a, "away"), for: a)
            try await server.running {
                try await server.setMembership("ban", of: bob, in: room)
                try await eventually { server.sender.counts == (0, 1) }
                try await server.say("among ourselves", in: room)
            }
            await server.journal.stop()
            servers.set(nil, for: a)
            let restarted = try await Fixture(database, servers: servers)
            try await restarted.running {
                try await eventually { !servers.transactions(of: a).isEmpty && restarted.sender.counts == (0, 0) }
            }
            #expect(servers.pdus(of: a).map { $0["content"]?["membership"]?.string } == ["ban"])
            // Nothing is left of it after the next save.
            let departed = try await database.read { try FederationSendingStore.departedServers(on: $0) }
            #expect(departed.isEmpty)
        }
    }

    @Test("memory is bounded while a server is slow, and nothing is lost")
    func slow() async throws {
        try await withDatabase(.sqlite) { database in
            var limits = TransactionQueue.Limits()
            limits.events = 20
            let server = try await Fixture(database, limits: limits)
            let room = try await server.room(members: [bob])
            try await server.running {
                server.servers.stall(a)
                for number in 0..<100 { try await server.say("m\(number)", in: room) }
                server.servers.stall(a, false)
                try await eventually { server.servers.bodies(of: a).last == "m99" }
            }
            let bodies = server.servers.bodies(of: a)
            #expect(bodies.count < 100)
            #expect(bodies == bodies.sorted { Int($0.dropFirst()) ?? 0 < Int($1.dropFirst()) ?? 0 })
        }
    }

    @Test("a server that takes nothing is tried again later, and others are not held up by it")
    func refusal() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await Fixture(database)
            let room = try await server.room(members: [bob, eve])
            try await server.running {
                server.servers.set(.answered(.forbidden("no")), for: a)
                for number in 0..<10 { try await server.say("m\(number)", in: room) }
                try await eventually { server.servers.bodies(of: b).count == 10 }
                try await eventually { server.sender.counts.waiting == 1 }
            }
        }
    }

    // MARK: Devices

    @Test("changes of devices are a chain that is the same for all servers", arguments: DatabaseKind.allCases)
    func deviceChain(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            _ = try await server.room(members: [bob, eve])
            try await server.running {
                for device in ["A", "B", "A"] { try await change(device, on: server) }
                try await eventually { [a, b].allSatisfy { server.servers.edus("m.device_list_update", of: $0).count == 3 } }
            }
            let updates = server.servers.edus("m.device_list_update", of: a)
            #expect(updates.map { $0["device_id"]?.string } == ["A", "B", "A"])
            #expect(updates.map { $0["deleted"]?.bool } == [true, true, true])
            let streams = updates.compactMap { $0["stream_id"]?.int }
            #expect(streams == streams.sorted() && streams.count == 3)
            #expect(updates.map { $0["prev_id"]?.elements.map { $0.int } ?? [] } == [[], [streams[0]], [streams[1]]])
            #expect(server.servers.edus("m.device_list_update", of: b).map(\.canonicalBytes) == updates.map(\.canonicalBytes))
        }
    }

    @Test("a server that was away is told the newest of each device, without a gap in the chain", arguments: DatabaseKind.allCases)
    func deviceCatchUp(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let servers = FakeServers()
            let server = try await Fixture(database, servers: servers)
            _ = try await server.room(members: [bob])
            try await server.running {
                try await change("A", on: server)
                try await eventually { servers.edus("m.device_list_update", of: a).count == 1 }
                servers.set(.unreachable(a, "away"), for: a)
                for device in ["A", "B", "A", "C"] { try await change(device, on: server) }
                try await eventually { server.sender.counts == (0, 1) }
            }
            try await change("C", on: server)
            await server.journal.stop()
            servers.set(nil, for: a)
            let restarted = try await Fixture(database, servers: servers)
            try await restarted.running { try await eventually { servers.edus("m.device_list_update", of: a).count == 4 } }
            let updates = servers.edus("m.device_list_update", of: a)
            #expect(updates.map { $0["device_id"]?.string } == ["A", "B", "A", "C"])
            let streams = updates.compactMap { $0["stream_id"]?.int }
            #expect(updates.dropFirst().map { $0["prev_id"]?.elements.map { $0.int } ?? [] } == streams.dropLast().map { [$0] })
        }
    }

    private func change(_ device: String, on server: SendingFixture) async throws {
        try await server.journal.append(JournalBatch(records: [DeviceChange(device: DeviceID(trusted: device))]))
    }

    // MARK: Messages to devices

    @Test("messages to devices arrive once and in order, and are deleted then", arguments: DatabaseKind.allCases)
    func messages(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let servers = FakeServers()
            let server = try await Fixture(database, servers: servers)
            servers.set(.unreachable(a, "away"), for: a)
            try await server.running {
                for number in 0..<150 { try await server.journal.append(JournalBatch(records: [Message(server: a, number: number)])) }
                try await eventually { server.sender.counts == (0, 1) }
            }
            await server.journal.stop()
            servers.set(nil, for: a)
            let restarted = try await Fixture(database, servers: servers)
            try await restarted.running {
                try await eventually { servers.edus("m.direct_to_device", of: a).count == 150 }
                try await restarted.journal.append(JournalBatch(records: [Message(server: a, number: 150)]))
                try await eventually { servers.edus("m.direct_to_device", of: a).count == 151 }
            }
            #expect(servers.edus("m.direct_to_device", of: a).map { $0["number"]?.int } == (0...150).map { Int64($0) })
            let left = try await database.read { try ToDeviceOutboxStore.messages(to: a, after: .zero, limit: 10, on: $0) }
            #expect(left.isEmpty)
        }
    }

    // MARK: What people do

    @Test("typing, receipts and presence go to the servers that share the room", arguments: DatabaseKind.allCases)
    func people(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            let room = try await server.room(members: [bob])
            _ = try await server.room(members: [])
            let alice = Fixture.alice
            try await server.running {
                let event = try await server.say("hello", in: room)
                try await eventually { server.servers.bodies(of: a) == ["hello"] }
                server.people.typing.withLock { $0[room.id] = [alice] }
                await server.journal.publishTransient { Change(position: $0, kind: .typing(room: room.id)) }
                try await eventually { server.servers.edus("m.typing", of: a).count == 1 }
                server.people.typing.withLock { $0[room.id] = [] }
                await server.journal.publishTransient { Change(position: $0, kind: .typing(room: room.id)) }
                await server.journal.publishTransient { position in
                    server.people.receipts.withLock {
                        $0.append(
                            (
                                position,
                                OutboundReceipt(
                                    room: room.id, user: alice, thread: "main", event: event, time: Timestamp(milliseconds: 7))
                            ))
                    }
                    return Change(position: position, kind: .receipt(room: room.id, user: alice))
                }
                server.people.present.withLock { $0[alice] = "online" }
                await server.journal.publishTransient { Change(position: $0, kind: .presence(user: alice)) }
                // Of somebody elsewhere we have nothing to say.
                await server.journal.publishTransient { Change(position: $0, kind: .presence(user: UserID(trusted: bob))) }
                try await eventually {
                    server.servers.edus("m.typing", of: a).count == 2 && server.servers.edus("m.receipt", of: a).count == 1
                        && server.servers.edus("m.presence", of: a).count == 1
                }
            }
            #expect(server.servers.edus("m.typing", of: a).map { $0["typing"]?.bool } == [true, false])
            let receipt = server.servers.edus("m.receipt", of: a)[0][room.id.string]?["m.read"]?[alice.string]
            #expect(receipt?["data"]?["thread_id"]?.string == "main" && receipt?["data"]?["ts"]?.int == 7)
            let presence = server.servers.edus("m.presence", of: a)[0]["push"]?.elements.map { $0 }.first
            #expect(presence?["presence"]?.string == "online" && presence?["user_id"]?.string == alice.string)
        }
    }

    @Test("a stop gives up what is under way, and it is sent after the next start")
    func stop() async throws {
        try await withDatabase(.sqlite) { database in
            let servers = FakeServers()
            let server = try await Fixture(database, servers: servers)
            let room = try await server.room(members: [bob])
            servers.stall(a)
            try await server.running {
                try await server.say("under way", in: room)
                try await eventually { server.sender.counts.active == 1 && server.sender.position == server.journal.position }
            }
            #expect(servers.transactions(of: a).isEmpty)
            await server.journal.stop()
            servers.stall(a, false)
            let restarted = try await Fixture(database, servers: servers)
            try await restarted.running { try await eventually { servers.bodies(of: a) == ["under way"] } }
        }
    }
}

private struct DeviceChange: JournalRecord {
    let device: DeviceID

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try DeviceListStore.insert(SendingFixture.alice, .device(device), position: position, on: connection)
    }

    func change(at position: StreamPosition) -> Change { Change(position: position, kind: .deviceList(user: SendingFixture.alice)) }
}

private struct Message: JournalRecord {
    let server: ServerName
    let number: Int

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        let edu = OutboundEDU(type: "m.direct_to_device") { $0.member("number", number) }
        try ToDeviceOutboxStore.insert(edu.json, to: server, position: position, on: connection)
    }

    func change(at position: StreamPosition) -> Change { Change(position: position, kind: .outbound(server: server)) }
}
