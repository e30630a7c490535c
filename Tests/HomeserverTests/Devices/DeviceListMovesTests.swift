import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Membership changes as device lists see them")
struct DeviceListMovesTests {
    static let me = UserID(trusted: "@me:example.org")
    static let you = UserID(trusted: "@you:example.org")
    static let room = RoomID(trusted: "!room:example.org")

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let user: UserID
        /// The memberships that follow each other, from the one before.
        let memberships: [Membership?]
        var roomsJoined: Set<RoomID> = []
        var roomsLeft: Set<RoomID> = []
        var arrived = false
        var departed = false
    }

    static let cases: [Case] = [
        Case(testDescription: "I join", user: me, memberships: [nil, .join], roomsJoined: [room]),
        Case(testDescription: "I am invited and join", user: me, memberships: [nil, .invite, .join], roomsJoined: [room]),
        Case(testDescription: "I am invited", user: me, memberships: [nil, .invite]),
        Case(testDescription: "I change my name", user: me, memberships: [.join, .join]),
        Case(testDescription: "I leave", user: me, memberships: [.join, .leave], roomsLeft: [room]),
        Case(testDescription: "I leave and come back", user: me, memberships: [.join, .leave, .join], roomsJoined: [room]),
        Case(testDescription: "I come and go", user: me, memberships: [nil, .join, .ban], roomsLeft: [room]),
        Case(testDescription: "you join", user: you, memberships: [nil, .join], arrived: true),
        Case(testDescription: "you are invited", user: you, memberships: [.leave, .invite], arrived: true),
        Case(testDescription: "you accept an invite that I knew", user: you, memberships: [.invite, .join]),
        Case(testDescription: "you change your name", user: you, memberships: [.join, .join]),
        Case(testDescription: "you leave", user: you, memberships: [.join, .leave], departed: true),
        Case(testDescription: "you decline", user: you, memberships: [.invite, .leave], departed: true),
        Case(testDescription: "you come and go", user: you, memberships: [nil, .join, .leave], departed: true),
        Case(testDescription: "you go and come", user: you, memberships: [.join, .leave, .join], arrived: true),
        Case(testDescription: "you are banned after you left", user: you, memberships: [.leave, .ban]),
    ]

    @Test("a row of changes sums up to who is new and who is gone", arguments: cases)
    func sum(_ example: Case) {
        var moves = DeviceListMoves(viewer: Self.me)
        for (before, after) in zip(example.memberships, example.memberships.dropFirst()) {
            moves.apply(MembershipTransition(room: Self.room, user: example.user, before: before, after: after))
        }
        #expect(moves.roomsJoined == example.roomsJoined)
        #expect(moves.roomsLeft == example.roomsLeft)
        #expect((moves.arrivals[Self.room] ?? []) == (example.arrived ? [Self.you] : []))
        #expect((moves.departures[Self.room] ?? []) == (example.departed ? [Self.you] : []))
    }

    @Test("a room whose members have come is news, whoever moved in it")
    func completion() {
        var moves = DeviceListMoves(viewer: Self.me)
        #expect(moves.isEmpty)
        moves.complete(Self.room)
        #expect(!moves.isEmpty && moves.roomsCompleted == [Self.room])
    }
}
