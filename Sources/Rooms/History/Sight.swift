// Which events a user may see, by the room's history visibility and the user's membership at each of them.
// Client-Server API §Room History Visibility.

import MatrixCore
import Persistence

/// What decides about what one user sees of a room, at every place of its timeline.
package struct Sight: Sendable {
    private let view: RoomView
    private var memberships: StateTrail<Membership?>
    private var settings: StateTrail<HistoryVisibility>

    package init(_ view: RoomView) {
        self.view = view
        let own: (nid: EventNID, position: StreamPosition)?
        let membership: Membership?
        switch view.standing {
        case .departed(let departure):
            own = (departure.nid, departure.position)
            membership = departure.membership
        case .member, .visitor:
            let entry = view.snapshot.entry(.member(view.viewer))
            own = entry.map { ($0.nid, $0.position) }
            membership = entry?.membership
        }
        memberships = StateTrail(
            holder: own, value: membership, reading: StateTrail.Reading(none: nil, unknown: nil, replaced: { $0.membership }))
        let setting = view.snapshot.entry(.historyVisibility)
        settings = StateTrail(
            holder: setting.map { ($0.nid, $0.position) }, value: view.snapshot.historyVisibility,
            reading: StateTrail.Reading(none: .shared, unknown: .joined, replaced: { HistoryVisibility(ofReplaced: $0) }))
    }

    /// Looks as far back as these events reach. Costs nothing where neither the setting nor the membership changed after them.
    package mutating func extend(to events: [TimelineEvent], in reader: EventReader) async throws {
        // Before an event that changed one of the two the value may be another one.
        guard let oldest = events.map(\.position.predecessor).min() else { return }
        try await memberships.extend(to: oldest, in: reader)
        try await settings.extend(to: oldest, in: reader)
    }

    /// Whether the viewer may see an event to which the trails reach.
    package func shows(_ event: TimelineEvent) -> Bool {
        // What comes after the state that a member's view was made of is as visible as the last of it.
        if case .departed = view.standing, event.position > view.end { return false }
        guard !event.isBeyond(view.horizon) else { return false }
        let context = VisibilityContext(
            viewer: view.viewer, visibility: settings.value(before: event.position),
            membership: memberships.value(before: event.position),
            joinedSince: view.wasMember(after: event.position) || memberships.contains(after: event.position) { $0 == .join })
        switch event.type {
        case StateKey.historyVisibility.type where event.stateKey == "":
            return context.showsChange(to: settings.value(at: event.position))
        case StateKey.memberType where event.stateKey == view.viewer.text:
            return event.membership.map(context.showsOwnChange(to:)) ?? context.showsOtherEvents
        default:
            return context.showsOtherEvents
        }
    }

    /// Whether a sync shows the event: also what the room's state is made of now, wherever it stands, to who is in the room.
    package func showsInSync(_ event: TimelineEvent) -> Bool {
        if shows(event) { return true }
        guard case .member = view.standing, let stateKey = event.stateKey else { return false }
        return view.snapshot.entry(StateKey(type: event.type, stateKey: stateKey))?.nid == event.nid
    }

    /// The viewer's membership in the state after the event. Who never had one counts as having left.
    package func membership(at event: TimelineEvent) -> Membership {
        memberships.value(at: event.position) ?? .leave
    }
}
