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
        guard event.isState else { return context.showsOtherEvents }
        switch event.type {
        case StateKey.historyVisibility.type where event.stateKey == "":
            let after = visibility
            visibility = HistoryVisibility(ofReplaced: event.replaced)
            return context.showsChange(to: after)
        case StateKey.memberType where event.stateKey == viewer.text:
            membership = event.previousMembership
            let isShown = event.membership.map { context.showsOwnChange(to: $0) } ?? context.showsOtherEvents
            joinedLater = joinedLater || membership == .join
            return isShown
        default:
            return context.showsOtherEvents
        }
    }

    /// The rule's view of the state just before the event that was asked for last.
    private var context: VisibilityContext {
        VisibilityContext(viewer: viewer, visibility: visibility, membership: membership, joinedSince: joinedLater)
    }
}
