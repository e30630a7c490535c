import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Sliding sync: lists")
struct RoomOrderTests {
    private func rooms(_ order: RoomOrder) -> [Int64] { order.entries.map(\.room.value) }

    private func entry(_ room: Int64, _ position: Int64) -> RoomOrder.Entry {
        RoomOrder.Entry(position: StreamPosition(position), room: RoomNID(room))
    }

    @Test("the room with the newest event comes first, and a room that something happens in moves there")
    func moving() {
        var order = RoomOrder([entry(1, 10), entry(2, 30), entry(3, 20)])
        #expect(rooms(order) == [2, 3, 1])
        let isNew = order.set(RoomNID(1), to: StreamPosition(40))
        #expect(!isNew)
        #expect(rooms(order) == [1, 2, 3])
        let came = order.set(RoomNID(4), to: StreamPosition(25))
        #expect(came)
        #expect(rooms(order) == [1, 2, 4, 3])
        let went = order.set(RoomNID(2), to: nil)
        #expect(went)
        #expect(rooms(order) == [1, 4, 3])
        let wasThere = order.set(RoomNID(2), to: nil)
        #expect(!wasThere)
        #expect(order.position(of: RoomNID(4)) == StreamPosition(25))
    }

    @Test("a thousand random moves leave the order that sorting gives")
    func manyMoves() {
        var order = RoomOrder()
        var expected: [Int64: Int64] = [:]
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<1000 {
            let room = Int64.random(in: 1...40, using: &generator)
            let position: Int64? = Int.random(in: 0..<5, using: &generator) == 0 ? nil : Int64.random(in: 1...60, using: &generator)
            order.set(RoomNID(room), to: position.map { StreamPosition($0) })
            expected[room] = position
        }
        let sorted = expected.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }.map(\.key)
        #expect(rooms(order) == sorted)
        #expect(order.count == expected.count)
    }

    @Test(
        "a range shows the part of it that the list has",
        arguments: [
            (0, 1, 5, 0..<2), (3, 99, 5, 3..<5), (5, 9, 5, 0..<0), (4, 2, 5, 0..<0), (0, 0, 0, 0..<0), (0, Int.max, 3, 0..<3),
        ] as [(Int, Int, Int, Range<Int>)])
    func ranges(first: Int, last: Int, count: Int, expected: Range<Int>) {
        #expect(ListRange(first: first, last: last).indices(count: count) == expected)
    }

    @Test("filters are conditions that all have to hold")
    func filters() {
        let space = RoomTraits(isEncrypted: false, type: "m.space")
        let encrypted = RoomTraits(isEncrypted: true, type: nil)
        func passes(
            _ traits: RoomTraits?, _ membership: Membership = .join, isDirect: Bool = false, tags: Set<ByteString> = [],
            _ set: (inout RoomListFilter) -> Void
        ) -> Bool {
            var filter = RoomListFilter()
            set(&filter)
            return filter.passes(membership, traits, isDirect: isDirect, tags: tags)
        }
        #expect(passes(nil) { _ in })
        #expect(passes(encrypted) { $0.isEncrypted = true })
        #expect(!passes(space) { $0.isEncrypted = true })
        #expect(!passes(nil) { $0.isEncrypted = false })
        #expect(passes(encrypted, isDirect: true) { $0.isDirect = true })
        #expect(!passes(encrypted, isDirect: true) { $0.isDirect = false })
        #expect(passes(space, .invite) { $0.isInvite = true })
        #expect(!passes(space, .join) { $0.isInvite = true })
        #expect(passes(space) { $0.roomTypes = ["m.space"] })
        #expect(!passes(encrypted) { $0.roomTypes = ["m.space"] })
        #expect(passes(encrypted) { $0.roomTypes = [nil] })
        #expect(!passes(space) { ($0.roomTypes, $0.notRoomTypes) = (["m.space"], ["m.space"]) })
        #expect(!passes(encrypted) { $0.notRoomTypes = [nil] })
        #expect(passes(nil, tags: ["m.favourite", "u.work"]) { $0.tags = ["u.work", "u.play"] })
        #expect(!passes(nil, tags: ["m.favourite", "u.work"]) { ($0.tags, $0.notTags) = (["u.work"], ["m.favourite"]) })
        #expect(passes(nil) { $0.notTags = ["m.favourite"] })
    }
}
