// Lists of the members of rooms, kept as they were told last. Client-Server API, GET /rooms/{roomId}/members.

import MatrixCore
import Persistence

/// Of which members a list is. As the specification has it, the two add up.
package struct MemberSelection: Sendable, Hashable {
    /// nil: all.
    package var wanted: Membership?
    /// nil: none.
    package var unwanted: Membership?

    package init(wanted: Membership? = nil, unwanted: Membership? = nil) {
        self.wanted = wanted
        self.unwanted = unwanted
    }

    package func contains(_ membership: Membership) -> Bool {
        switch (wanted, unwanted) {
        case (nil, nil): true
        case (let wanted?, nil): membership == wanted
        case (nil, let unwanted?): membership != unwanted
        case (let wanted?, let unwanted?): membership == wanted || membership != unwanted
        }
    }
}

/// Every client that opens an encrypted room asks for all its members, and mostly all of them get the same list: a large one, put together
/// from events that lie far apart in memory.
package final class MemberLists: Sendable {
    /// What a list is of. A room has one for each selection.
    struct Key: Hashable {
        let room: RoomNID
        let selection: MemberSelection
    }

    private struct List: Sendable {
        /// The state that it is of.
        let snapshot: SnapshotID
        /// Of the events in it, of which one may have been redacted since.
        let generation: Int
        let events: RenderedEvents
    }

    private let lists: CostCache<Key, List>

    init(byteLimit: Int) { lists = CostCache(limit: byteLimit) }

    /// The list of `key` in the state `snapshot`: the one that is kept, or what `render` gives.
    ///
    /// - Parameter generation: of the events, from before they are looked at.
    func list(
        _ key: Key, in snapshot: SnapshotID, generation: Int, render: () async throws -> RenderedEvents
    ) async rethrows -> RenderedEvents {
        if let list = lists[key], list.snapshot == snapshot, list.generation == generation { return list.events }
        let events = try await render()
        lists.insert(List(snapshot: snapshot, generation: generation, events: events), for: key, cost: events.cost)
        return events
    }
}
