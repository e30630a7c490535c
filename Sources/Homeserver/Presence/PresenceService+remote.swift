// The presence of users of other servers. Server-Server API §Presence.

import MatrixCore
import Persistence
import Rooms

extension PresenceService {
    /// Takes over what a server tells of its users, who share rooms with ours.
    package func hear(_ told: [RemotePresence]) async {
        let time = now().milliseconds
        let news = change { board in told.filter { board.hear($0, now: time) }.map(\.user) }
        // Told at once, so that they make one commit.
        await news.forEachConcurrently(limit: 100) { [self] user in await publish(user) }
    }
}

extension PresenceBoard {
    /// The server of a user tells how the user is. It says so again from time to time.
    ///
    /// - Returns: whether that is news.
    package mutating func hear(_ told: RemotePresence, now: Int64) -> Bool {
        update(told.user, now: now) { entry in
            entry.heardAt = now
            entry.presence.state = told.state
            if let ago = told.lastActiveAgo { entry.presence.lastActive = Timestamp(milliseconds: max(0, now - ago)) }
            entry.presence.statusMessage = told.statusMessage
            entry.presence.isCurrentlyActive = told.isCurrentlyActive
        }
    }
}
