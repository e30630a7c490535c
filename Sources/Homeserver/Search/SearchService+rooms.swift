// Which rooms a search looks at. Client-Server API §Server Side Search.

import MatrixCore
import Persistence
import Rooms

extension SearchService {
    /// How many rooms are looked at for the room that they replaced.
    private static let predecessorLimit = 50

    /// The rooms that the user is or was in, as far as the filter lets them through. A filter that names a room means those too that it
    /// replaced, as in Synapse.
    ///
    /// - Parameter group: whose results go on.
    func searchedRooms(of user: UserID, _ filter: RoomEventFilter, group: SearchToken.Group?) async throws -> [MembershipRow] {
        var known: [RoomID: MembershipRow] = [:]
        for row in try await database.read({ try MembershipStore.rooms(of: user, on: $0) })
        where !row.forgotten && (row.membership == .join || row.membership == .leave || row.membership == .ban) {
            known[row.room] = row
        }
        var wanted = filter.rooms.rooms.map { $0.filter { known[$0] != nil } } ?? Set(known.keys)
        if filter.rooms.rooms != nil { wanted.formUnion(try await predecessors(of: wanted)) }
        wanted.subtract(filter.rooms.notRooms)
        if case .room(let room)? = group { wanted.formIntersection([room]) }
        return wanted.compactMap { known[$0] }
    }

    /// Client-Server API §Room upgrades: the rooms that these replaced, and those that they had replaced.
    private func predecessors(of wanted: Set<RoomID>) async throws -> Set<RoomID> {
        var found: Set<RoomID> = []
        var waiting = Array(wanted)
        var count = 0
        while let id = waiting.popLast(), count < Self.predecessorLimit {
            count += 1
            guard let predecessor = try await rooms.room(id)?.current.createEvent.content()["predecessor"]?["room_id"]?.string,
                let older = try? RoomID(parsing: predecessor)
            else { continue }
            if !wanted.contains(older), found.insert(older).inserted { waiting.append(older) }
        }
        return found
    }
}
