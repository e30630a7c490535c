// Whose presence changed in the newest stretch of the stream.

import DequeModule
import MatrixCore
import Persistence

/// The recent changes of presence, in order of their positions.
package struct PresenceWindow: Sendable {
    private var changes: Deque<(position: StreamPosition, user: UserID)> = []
    /// Every change after this position is here.
    package private(set) var floor: StreamPosition

    package static let limit = 2000

    package init(startingAt position: StreamPosition) {
        floor = position
    }

    package mutating func append(_ user: UserID, at position: StreamPosition) {
        changes.append((position, user))
        if changes.count > PresenceWindow.limit, let oldest = changes.popFirst() { floor = oldest.position }
    }

    /// Whose presence changed after `position`; nil where the window does not reach back as far.
    package func users(after position: StreamPosition) -> Set<UserID>? {
        guard position >= floor else { return nil }
        var users: Set<UserID> = []
        for change in changes.reversed() {
            guard change.position > position else { break }
            users.insert(change.user)
        }
        return users
    }
}
