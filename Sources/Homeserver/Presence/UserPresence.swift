// What is told of a user's presence. Client-Server API §Presence.

import MatrixCore
import Persistence

/// Whether a user is there.
package enum PresenceState: String, Sendable, CaseIterable {
    case offline
    /// There, but idle.
    case unavailable
    case online

    /// Of several devices the one counts that is most there.
    fileprivate var rank: Int {
        switch self {
        case .offline: 0
        case .unavailable: 1
        case .online: 2
        }
    }
}

extension PresenceState: Comparable {
    package static func < (a: PresenceState, b: PresenceState) -> Bool { a.rank < b.rank }
}

/// The presence of one user.
package struct UserPresence: Sendable, Hashable {
    package var state = PresenceState.offline
    /// When the user did something last; zero where nothing is known.
    package var lastActive = Timestamp(milliseconds: 0)
    package var statusMessage: String?
    /// Whether the user did something just now.
    package var isCurrentlyActive = false
    /// Of the last change that was published.
    package var position = StreamPosition.zero

    package init() {}

    package init(_ row: PresenceRow) {
        state = PresenceState(rawValue: row.state) ?? .offline
        lastActive = row.lastActive
        statusMessage = row.statusMessage
        position = row.position
    }

    package func row(of user: UserID) -> PresenceRow {
        PresenceRow(user: user, state: state.rawValue, lastActive: lastActive, statusMessage: statusMessage, position: position)
    }

    /// Writes the members of the content of `m.presence`, and of what GET /presence/{userId}/status answers.
    package func write(to writer: inout JSONWriter, now: Timestamp) {
        writer.member("presence", state.rawValue)
        if lastActive.milliseconds > 0 { writer.member("last_active_ago", max(0, now.milliseconds - lastActive.milliseconds)) }
        if let statusMessage, !statusMessage.isEmpty { writer.member("status_msg", statusMessage) }
        if state == .online { writer.member("currently_active", isCurrentlyActive) }
    }

    /// Whether a change is worth telling.
    ///
    /// - Parameter granularity: in milliseconds; activity closer together than this is not told.
    package func isNews(after old: UserPresence, granularity: Int64) -> Bool {
        if state != old.state || (statusMessage ?? "") != (old.statusMessage ?? "") { return true }
        let hasMoved = lastActive.milliseconds - old.lastActive.milliseconds > granularity
        switch state {
        case .online: return isCurrentlyActive != old.isCurrentlyActive || (hasMoved && !isCurrentlyActive)
        case .unavailable: return hasMoved
        // Nobody waits for news of who is not there: a program that only sends would tell everyone of each message.
        case .offline: return false
        }
    }
}
