// Who gets an event, and which servers come and go.

import Federation
import MatrixCore
import Persistence
import Rooms
import Testing

@Suite("Servers in rooms")
struct RoomServersTests {
    private static let us = ServerName(trusted: "us")
    private let room = RoomNID(1)

    private func event(
        _ position: Int64, by sender: String = "@alice:us", member: String? = nil, _ membership: Membership? = nil,
        was previous: Membership? = nil, isRelayed: Bool = false, resolvesForks: Bool = false
    ) -> TimelineEvent {
        TimelineEvent(
            nid: EventNID(position), position: StreamPosition(position), id: EventID(trusted: "$\(position)"),
            roomID: RoomID(trusted: "!r:us"), roomNID: room, type: member == nil ? "m.room.message" : "m.room.member",
            sender: UserID(trusted: sender), stateKey: member.map { ByteString($0) }, timestamp: Timestamp(milliseconds: 1), depth: 1,
            snapshotBefore: .empty, clientJSON: [],
            replaced: previous.map {
                ReplacedEvent(
                    nid: EventNID(1000), id: EventID(trusted: "$old"), sender: UserID(trusted: sender), content: [], membership: $0)
            }, membership: membership, isRelayed: isRelayed, resolvesForks: resolvesForks)
    }

    private func present(_ counts: [String: Int], isAhead: Bool = false) -> RoomServers.Present {
        RoomServers.Present(
            counts: ServerCounts(uniqueKeysWithValues: counts.map { (ServerName(trusted: $0.key), $0.value) }), isAhead: isAhead)
    }

    private func names(_ servers: some Sequence<ServerName>) -> [String] { servers.map(\.string).sorted() }

    private func take(
        _ servers: inout RoomServers, _ event: TimelineEvent, _ present: RoomServers.Present, stored: [String]? = nil
    ) -> EventRoute {
        servers.take(event, present, stored: stored.map { $0.map { ServerName(trusted: $0) } })
    }

    @Test("an event of ours goes to every other server in the room, one of another server to nobody")
    func everybody() {
        var servers = RoomServers(serverName: Self.us)
        #expect(servers.concerns(event(1)))
        #expect(!servers.concerns(event(1, by: "@bob:a")))
        #expect(servers.concerns(event(1, by: "@bob:a", resolvesForks: true)))
        let route = take(&servers, event(1), present(["us": 1, "a": 2, "b": 1]), stored: ["a", "b"])
        #expect(names(route.servers) == ["a", "b"] && route.changes.isEmpty)
    }

    @Test("a room of our own asks for nothing that is stored")
    func ownRoom() {
        var servers = RoomServers(serverName: Self.us)
        expectEqual(servers.needsStored(for: event(1), present(["us": 5])), false)
        expectEqual(servers.needsStored(for: event(1), present(["us": 5, "a": 1])), true)
        let leave = event(1, by: "@bob:a", member: "@bob:a", .leave, was: .join)
        expectEqual(servers.needsStored(for: leave, present(["us": 5])), true)
        _ = take(&servers, event(1), present(["us": 5, "a": 1]), stored: ["a"])
        expectEqual(servers.needsStored(for: event(2), present(["us": 5, "a": 1])), false)
    }

    @Test("a server whose last user is removed is told, and gets that event as its last")
    func removed() {
        var servers = RoomServers(serverName: Self.us)
        _ = take(&servers, event(1), present(["us": 1, "a": 1]), stored: ["a"])
        let kick = event(2, member: "@bob:a", .leave, was: .join)
        let route = take(&servers, kick, present(["us": 1]))
        #expect(names(route.servers) == ["a"])
        #expect(route.changes == [ServerRoomChange(server: ServerName(trusted: "a"), room: room, lastPosition: StreamPosition(2))])
        #expect(take(&servers, event(3), present(["us": 1])).isEmpty)
    }

    @Test("a server whose last user leaves by himself is noted, with no event of ours to get")
    func left() {
        var servers = RoomServers(serverName: Self.us)
        _ = take(&servers, event(1), present(["us": 1, "a": 1, "b": 1]), stored: ["a", "b"])
        let route = take(&servers, event(2, by: "@bob:a", member: "@bob:a", .leave, was: .join), present(["us": 1, "b": 1]))
        #expect(route.servers.isEmpty)
        #expect(route.changes == [ServerRoomChange(server: ServerName(trusted: "a"), room: room, lastPosition: .zero)])
    }

    @Test("an invite of a stranger goes to the servers in the room, the end of it to the stranger's server too")
    func invites() {
        var servers = RoomServers(serverName: Self.us)
        _ = take(&servers, event(1), present(["us": 1, "b": 1]), stored: ["b"])
        let invite = take(&servers, event(2, member: "@bob:a", .invite), present(["us": 1, "b": 1]))
        #expect(names(invite.servers) == ["b"])
        let withdrawal = take(&servers, event(3, member: "@bob:a", .leave, was: .invite), present(["us": 1, "b": 1]))
        #expect(names(withdrawal.servers) == ["a", "b"])
        // A ban of somebody who is not there is for those who are.
        let ban = take(&servers, event(4, member: "@bob:a", .ban, was: .leave), present(["us": 1, "b": 1]))
        #expect(names(ban.servers) == ["b"])
    }

    @Test("a server comes with its first user, and gets what is said from then on")
    func comes() {
        var servers = RoomServers(serverName: Self.us)
        _ = take(&servers, event(1), present(["us": 1]))
        let join = take(&servers, event(2, by: "@bob:a", member: "@bob:a", .join), present(["us": 1, "a": 1]))
        #expect(join.servers.isEmpty && names(join.arrivals) == ["a"])
        #expect(names(take(&servers, event(3), present(["us": 1, "a": 1])).servers) == ["a"])
        #expect(take(&servers, event(4, by: "@eve:a", member: "@eve:a", .join), present(["us": 1, "a": 2])).isEmpty)
    }

    @Test("where the room is ahead of the event, who came later gets nothing, and who has left meanwhile gets it")
    func ahead() {
        var servers = RoomServers(serverName: Self.us)
        _ = take(&servers, event(1), present(["us": 1, "a": 1]), stored: ["a"])
        // Meanwhile a has left at 3 and b has come at 4.
        let now = present(["us": 1, "b": 1], isAhead: true)
        #expect(names(take(&servers, event(2), now).servers) == ["a"])
        let leave = take(&servers, event(3, by: "@bob:a", member: "@bob:a", .leave, was: .join), now)
        #expect(names(leave.changes.map(\.server)) == ["a"])
        let join = take(&servers, event(4, by: "@eve:b", member: "@eve:b", .join), present(["us": 1, "b": 1]))
        #expect(names(join.arrivals) == ["b"])
        #expect(names(take(&servers, event(5), present(["us": 1, "b": 1])).servers) == ["b"])
    }

    @Test("what the room says counts where members changed without an event of theirs")
    func resolution() {
        var servers = RoomServers(serverName: Self.us)
        _ = take(&servers, event(1), present(["us": 1, "a": 1]), stored: ["a"])
        let route = take(&servers, event(2, by: "@bob:b", resolvesForks: true), present(["us": 1, "b": 1]))
        #expect(route.servers.isEmpty)
        #expect(
            Set(route.changes) == [
                ServerRoomChange(server: ServerName(trusted: "b"), room: room),
                ServerRoomChange(server: ServerName(trusted: "a"), room: room, lastPosition: .zero),
            ])
    }

    @Test("an event that came by us into the room goes to all but who brought it")
    func relayed() {
        var servers = RoomServers(serverName: Self.us)
        let join = event(1, by: "@bob:a", member: "@bob:a", .join, isRelayed: true)
        let route = take(&servers, join, present(["us": 1, "a": 1, "b": 1]), stored: ["b"])
        #expect(names(route.servers) == ["b"] && names(route.arrivals) == ["a"])
        // Who has made an event need not be who has brought it.
        let invite = event(2, by: "@eve:b", member: "@carl:c", .invite, isRelayed: true)
        #expect(names(take(&servers, invite, present(["us": 1, "a": 1, "b": 1])).servers) == ["a", "b"])
    }

    @Test("what went through another server is not sent again")
    func outOfBand() {
        var servers = RoomServers(serverName: Self.us)
        let first = take(&servers, event(1, member: "@alice:us", .join), present(["us": 1, "a": 1]), stored: [])
        #expect(first.servers.isEmpty && names(first.arrivals) == ["a"])
        // The second of ours joins by ourselves.
        let second = take(&servers, event(2, by: "@carol:us", member: "@carol:us", .join), present(["us": 2, "a": 1]))
        #expect(names(second.servers) == ["a"])
        let refusal = take(&servers, event(3, member: "@alice:us", .leave, was: .invite), present(["a": 1]))
        #expect(refusal.servers.isEmpty)
        let leave = take(&servers, event(4, member: "@alice:us", .leave, was: .join), present(["a": 1]))
        #expect(names(leave.servers) == ["a"])
    }
}
