// Which of a room's events one user may see. Client-Server API §Room History Visibility, server behaviour.

import MatrixCore
import Rooms

/// Follows the history visibility and one user's membership backwards through a timeline.
///
/// The rule looks at the room's state at each event. Going from the newest event to older ones, that state is known without
/// reading it: it changes only at the events that set it, and those say what they replaced.
package struct VisibilityWalk: Sendable {
    private let viewer: UserID
    private var visibility: HistoryVisibility
    private var membership: Membership?
    /// Whether the user was joined at some time after the events that come next.
    private var joinedLater: Bool
    /// The user's membership at the event asked for last, after what that event itself changed.
    package private(set) var membershipAtEvent: Membership?

    /// - Parameters:
    ///   - visibility: after the newest event of the walk.
    ///   - membership: of the viewer, after the newest event of the walk.
    package init(viewer: UserID, visibility: HistoryVisibility, membership: Membership?) {
        self.viewer = viewer
        self.visibility = visibility
        self.membership = membership
        joinedLater = membership == .join
    }

    /// Whether the viewer may see `event`. Must be asked for every event of the timeline, newest first.
    package mutating func allows(_ event: TimelineEvent) -> Bool {
        membershipAtEvent = membership
        guard event.isState else { return isAllowed }
        if event.type == StateKey.historyVisibility.type, event.stateKey == "" {
            let after = isAllowed
            visibility = VisibilityWalk.visibility(in: event.replaced?.content)
            return after || isAllowed
        }
        if event.type == VisibilityWalk.memberType, event.stateKey == viewer.text {
            let after = isAllowed
            membership = event.previousMembership
            let before = isAllowed
            joinedLater = joinedLater || membership == .join
            // An invite, and how it ended, the viewer may know whatever the setting: else it would stay in their list for ever.
            return after || before || event.membership == .invite || event.previousMembership == .invite
                || event.previousMembership == .knock
        }
        return isAllowed
    }

    private var isAllowed: Bool {
        isVisible(visibility: visibility, membership: membership, joinedSince: joinedLater)
    }

    package static let memberType: ByteString = "m.room.member"

    /// - Parameter content: of the event that set it, a JSON object; nil where there was none, which means `shared`.
    private static func visibility(in content: [UInt8]?) -> HistoryVisibility {
        guard let content, let document = try? JSONDocument(parsing: content, limits: .lenientEvent) else { return .shared }
        return HistoryVisibility(content: document.root)
    }
}
