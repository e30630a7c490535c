// The tallies in memory, of those who asked lately.

import MatrixCore
import Persistence

/// Slots by user and room, within a limit; who has not asked for longest goes first.
struct UnreadShelf {
    struct Address: Hashable, Sendable {
        let user: UserID
        let room: RoomNID
    }

    private struct Entry {
        var slots: [RoomNID: UnreadSlot] = [:]
        var lastUse: UInt64 = 0
    }

    private var users: [UserID: Entry] = [:]
    private var count = 0
    private var uses: UInt64 = 0
    /// Those that are to be stored.
    private var noted: Set<Address> = []
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    func existing(_ user: UserID, _ room: RoomNID) -> UnreadSlot? { users[user]?.slots[room] }

    /// The slots of these rooms, made where there are none.
    ///
    /// - Returns: also those that had to go and are to be stored.
    mutating func slots(
        of user: UserID, in rooms: [RoomNID]
    ) -> (slots: [UnreadSlot], unsaved: [(address: Address, slot: UnreadSlot)]) {
        uses += 1
        var entry = users.removeValue(forKey: user) ?? Entry()
        entry.lastUse = uses
        let slots = rooms.map { room in
            if let known = entry.slots[room] { return known }
            let new = UnreadSlot()
            entry.slots[room] = new
            count += 1
            return new
        }
        users[user] = entry
        return (slots, count > limit ? shrink() : [])
    }

    private mutating func shrink() -> [(address: Address, slot: UnreadSlot)] {
        var unsaved: [(address: Address, slot: UnreadSlot)] = []
        for (user, entry) in users.sorted(by: { $0.value.lastUse < $1.value.lastUse }).dropLast() {
            if count <= limit * 3 / 4 { break }
            users[user] = nil
            count -= entry.slots.count
            for (room, slot) in entry.slots {
                let address = Address(user: user, room: room)
                if noted.remove(address) != nil { unsaved.append((address, slot)) }
            }
        }
        return unsaved
    }

    // MARK: What is to be stored

    mutating func note(_ user: UserID, _ room: RoomNID) { noted.insert(Address(user: user, room: room)) }

    mutating func noteAll(of user: UserID) {
        guard let entry = users[user] else { return }
        for room in entry.slots.keys { noted.insert(Address(user: user, room: room)) }
    }

    mutating func takeNoted() -> [(address: Address, slot: UnreadSlot)] {
        defer { noted = [] }
        return noted.compactMap { address in existing(address.user, address.room).map { (address, $0) } }
    }
}
