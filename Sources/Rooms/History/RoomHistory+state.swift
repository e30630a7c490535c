// The state of a room as a user may read it: now, or as it was when the user left. Client-Server API §Getting events for a room.

import MatrixCore
import Persistence

extension RoomHistory {
    /// The whole state.
    package func state(of view: RoomView) async throws -> [TimelineEvent] {
        try await events.events(entries(of: view) { _ in true })
    }

    /// One entry of the state; nil when there is none.
    package func state(_ key: StateKey, of view: RoomView) async throws -> TimelineEvent? {
        switch view.standing {
        case .member, .visitor:
            guard let entry = view.snapshot.entry(key) else { return nil }
            return try await events.events([entry.nid]).first
        case .departed(let departure):
            if key == .member(view.viewer) { return departure }
            guard let nid = try await events.state([key], at: departure.snapshotBefore)[key] else { return nil }
            return try await events.events([nid]).first
        }
    }

    /// The membership events that `isWanted`, at the end of the view or, with `at`, as of that position.
    package func members(
        of view: RoomView, at position: StreamPosition?, where isWanted: @Sendable (Membership) -> Bool
    ) async throws -> [TimelineEvent] {
        let members: [TimelineEvent]
        if let position, position < view.end {
            members = try await events.events(
                entries(at: position, in: view).filter { $0.key.type == StateKey.memberType }.map(\.value))
        } else {
            members = try await events.events(entries(of: view) { $0.type == StateKey.memberType })
        }
        return members.filter { $0.membership.map(isWanted) ?? false }
    }

    /// The numbers of the events that hold the wanted keys at the end of the view.
    private func entries(of view: RoomView, where isWanted: (StateKey) -> Bool) async throws -> [EventNID] {
        switch view.standing {
        case .member, .visitor:
            return view.snapshot.state.compactMap { isWanted($0.key) ? $0.value.nid : nil }
        case .departed(let departure):
            var state = try await events.state(at: departure.snapshotBefore)
            state[.member(view.viewer)] = departure.nid
            return state.compactMap { isWanted($0.key) ? $0.value : nil }
        }
    }

    /// The state after the last event up to `position`.
    private func entries(at position: StreamPosition, in view: RoomView) async throws -> [StateKey: EventNID] {
        guard let last = try await events.timelineBackwards(view.snapshot.nid, after: .zero, upTo: position, limit: 1).first
        else { return [:] }
        var state = try await events.state(at: last.snapshotBefore)
        if let stateKey = last.stateKey { state[StateKey(type: last.type, stateKey: stateKey)] = last.nid }
        return state
    }
}

extension StateKey {
    static let memberType: ByteString = "m.room.member"
}
