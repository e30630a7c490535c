// Which events of a page the viewer may see, by the room's state at each of them. Client-Server API §Room History Visibility.

import MatrixCore
import Persistence

extension RoomHistory {
    /// For each of `page`, whether the viewer may see it.
    ///
    /// Costs nothing for a member of a room whose history was always open to members, which is nearly every room. Elsewhere it reads, for
    /// each state that the page goes through, the two entries that decide.
    func visibility(of page: [TimelineEvent], in view: RoomView) async throws -> [Bool] {
        if page.isEmpty { return [] }
        if try await isOpenToMembers(view) { return page.map { $0.position <= view.end } }

        var contexts: [SnapshotID: VisibilityContext] = [:]
        for snapshot in Set(page.map(\.snapshotBefore)) {
            contexts[snapshot] = try await context(at: snapshot, in: view)
        }
        return page.map { event in
            guard event.position <= view.end, let context = contexts[event.snapshotBefore] else { return false }
            return context.shows(event)
        }
    }

    /// Whether the viewer is or was joined, and the history visibility was never stricter than `shared`.
    private func isOpenToMembers(_ view: RoomView) async throws -> Bool {
        guard view.hasBeenMember else { return false }
        guard let entry = view.snapshot.entry(.historyVisibility) else { return true }
        guard view.snapshot.historyVisibility == .shared || view.snapshot.historyVisibility == .worldReadable else { return false }
        return try await events.events([entry.nid]).first?.replaced == nil
    }

    private func context(at snapshot: SnapshotID, in view: RoomView) async throws -> VisibilityContext {
        let keys = [StateKey.historyVisibility, .member(view.viewer)]
        let state = try await events.state(keys, at: snapshot)
        let byNumber = try await events.events(Array(state.values)).reduce(into: [:]) { $0[$1.nid] = $1 }
        let visibility = state[.historyVisibility].flatMap { byNumber[$0] }
        let member = state[.member(view.viewer)].flatMap { byNumber[$0] }
        return VisibilityContext(
            viewer: view.viewer, visibility: HistoryVisibility(content: visibility?.contentIfReadable),
            // Nobody joins after the end of a view: who reads as a member has joined since every earlier event.
            membership: member?.membership, joinedSince: view.hasBeenMember)
    }
}

extension VisibilityContext {
    /// Whether a timeline event may be seen, as `shows` says of an `Event`.
    func shows(_ event: TimelineEvent) -> Bool {
        switch event.type {
        case StateKey.historyVisibility.type where event.stateKey == "":
            showsChange(to: HistoryVisibility(content: event.contentIfReadable))
        case "m.room.member" where event.stateKey == viewer.text:
            event.membership.map(showsOwnChange(to:)) ?? showsOtherEvents
        default:
            showsOtherEvents
        }
    }
}
