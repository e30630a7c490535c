// Which servers a room lets take part. Client-Server API §Server Access Control Lists (ACLs) for rooms.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// The access control lists of rooms, read once: there are some with thousands of entries.
package final class ServerACLs: Sendable {
    private struct Known {
        let event: TimelineEvent
        let list: ServerACL
    }

    private let events: EventReader
    private let known = Mutex(RecentCache<EventNID, Known>(capacity: 1000))

    package init(events: EventReader) {
        self.events = events
    }

    package func allows(_ server: ServerName, in room: RoomSnapshot) async throws -> Bool {
        guard let entry = room.entry(.serverACL), let event = try await events.event(entry.nid) else { return true }
        if let list = known.withLock({ $0.value(for: event.nid) }), list.event === event { return list.list.allows(server) }
        let list = ServerACL(content: event.contentIfReadable)
        known.withLock { $0.insert(Known(event: event, list: list), for: event.nid) }
        return list.allows(server)
    }
}
