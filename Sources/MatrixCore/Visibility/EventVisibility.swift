// Which events a user gets to see. Client-Server API §Room History Visibility, server behaviour.

/// Whether a user may see an event that was sent while the room had `visibility`.
///
/// - Parameters:
///   - visibility: the history visibility in the room's state at the event.
///   - membership: the user's membership in the room's state at the event.
///   - joinedSince: whether the user joined the room at any point after the event. Callers that serve somebody who has left
///     bound what they serve by the leave event themselves; this function knows no order of events.
package func isVisible(visibility: HistoryVisibility, membership: Membership?, joinedSince: Bool) -> Bool {
    switch (visibility, membership) {
    // 1. If the history_visibility was set to world_readable, allow.
    case (.worldReadable, _): true
    // 2. If the user's membership was join, allow.
    case (_, .join): true
    // 3. If history_visibility was set to shared, and the user joined the room at any point after the event was sent, allow.
    case (.shared, _): joinedSince
    // 4. If the user's membership was invite, and the history_visibility was set to invited, allow.
    case (.invited, .invite): true
    // 5. Otherwise, deny.
    case (.invited, _), (.joined, _): false
    }
}

/// The state before an event as far as its visibility to one user depends on it.
package struct VisibilityContext: Sendable, Hashable {
    package let viewer: UserID
    package let visibility: HistoryVisibility
    package let membership: Membership?
    package let joinedSince: Bool

    /// - Parameters are those of ``isVisible(visibility:membership:joinedSince:)``, in the state *before* the event.
    package init(viewer: UserID, visibility: HistoryVisibility, membership: Membership?, joinedSince: Bool) {
        self.viewer = viewer
        self.visibility = visibility
        self.membership = membership
        self.joinedSince = joinedSince
    }

    /// Whether an event may be seen that changes neither the history visibility nor the viewer's own membership.
    package var showsOtherEvents: Bool {
        isVisible(visibility: visibility, membership: membership, joinedSince: joinedSince)
    }

    /// Whether an `m.room.history_visibility` event may be seen: the setting before or after it must allow it.
    package func showsChange(to newVisibility: HistoryVisibility) -> Bool {
        showsOtherEvents || isVisible(visibility: newVisibility, membership: membership, joinedSince: joinedSince)
    }

    /// Whether the viewer's own `m.room.member` event may be seen: the membership before or after it must allow it.
    ///
    /// A user sees their invite, and how an invite or a knock of theirs ended, whatever the setting: otherwise it would stay in their
    /// list for ever.
    package func showsOwnChange(to newMembership: Membership) -> Bool {
        if showsOtherEvents || isVisible(visibility: visibility, membership: newMembership, joinedSince: joinedSince) {
            return true
        }
        return newMembership == .invite || membership == .invite || membership == .knock
    }

    /// Whether `event` may be seen.
    package func shows(_ event: Event) -> Bool {
        switch event.type {
        case "m.room.history_visibility" where event.stateKey == "":
            return showsChange(to: HistoryVisibility(content: event.content()))
        case "m.room.member" where event.stateKey == viewer.text:
            return event.membership.map(showsOwnChange(to:)) ?? showsOtherEvents
        default:
            return showsOtherEvents
        }
    }
}
