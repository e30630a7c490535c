// The state of a room as a user may read it: now, or as it was when the user left. Client-Server API §Getting events for a room.

import MatrixCore
import Persistence

extension RoomHistory {
    /// The whole state.
    package func state(of view: RoomView) async throws -> [TimelineEvent] {
        try await events.events(entries(of: view))
    }

    /// One entry of the state; nil when there is none.
    package func state(_ key: StateKey, of view: RoomView) async throws -> TimelineEvent? {
        switch view.standing {
        case .member, .visitor:
            guard let entry = view.snapshot.entry(key) else { return nil }
            return try await events.event(entry.nid)
        case .departed(let departure):
            if key == .member(view.viewer) { return departure }
            guard let nid = try await events.state([key], at: departure.snapshotBefore)[key] else { return nil }
            return try await events.event(nid)
        }
    }

    /// The membership events that `isWanted`, at the end of the view or, with `at`, as of that position.
    package func members(
        of view: RoomView, at position: StreamPosition?, where isWanted: @Sendable (Membership) -> Bool
    ) async throws -> [TimelineEvent] {
        let older: [StateKey: EventNID]
        if let position, position < view.end {
            older = try await entries(at: position, in: view)
        } else if case .departed(let departure) = view.standing {
            older = try await events.stateAfter(departure)
        } else {
            return try await events.events(
                view.snapshot.state.compactMap { entry in entry.value.membership.map(isWanted) == true ? entry.value.nid : nil })
        }
        return try await events.events(older.compactMap { $0.key.type == StateKey.memberType ? $0.value : nil })
            .filter { $0.membership.map(isWanted) ?? false }
    }

    /// The same, rendered; of a room as it is now it is rendered once for all who ask for it.
    package func memberList(
        of view: RoomView, at position: StreamPosition?, _ selection: MemberSelection
    ) async throws -> RenderedEvents {
        func render() async throws -> RenderedEvents {
            RenderedEvents(try await members(of: view, at: position, where: selection.contains))
        }
        let isOfNow = !view.isOfPast && !view.snapshot.isPartial && position.map { $0 >= view.end } ?? true
        guard isOfNow else { return try await render() }
        let environment = rooms.environment
        return try await environment.memberLists.list(
            MemberLists.Key(room: view.snapshot.nid, selection: selection), in: view.snapshot.snapshotID,
            generation: environment.events.generation, render: render)
    }

    /// The member events of those who sent a page of events, as they were at its first event. For clients that load members lazily.
    package func senders(of page: [ViewedEvent], in view: RoomView) async throws -> [TimelineEvent] {
        guard let first = page.first?.event else { return [] }
        var found = try await members(Set(page.map(\.event.sender)), at: first, in: view)
        guard view.snapshot.isPartial else { return found }
        // Where not all members are known, each event has brought its own.
        var known = Set(found.compactMap(\.stateKey))
        for event in page.map(\.event) where known.insert(event.sender.text).inserted {
            let key = StateKey.member(event.sender)
            if let nid = try await events.state([key], at: event.snapshotBefore)[key] { found += try await events.events([nid]) }
        }
        return found
    }

    /// The member events of these users in the state at an event.
    package func members(_ users: Set<UserID>, at event: TimelineEvent, in view: RoomView) async throws -> [TimelineEvent] {
        var found: [EventNID] = []
        var changed: [StateKey] = []
        for user in users {
            let key = StateKey.member(user)
            if let entry = view.snapshot.entry(key), entry.position <= event.position {
                found.append(entry.nid)
            } else {
                changed.append(key)
            }
        }
        if !changed.isEmpty {
            var older = try await events.state(changed, at: event.snapshotBefore)
            // An event that sets the membership of its own sender counts itself.
            if let stateKey = event.stateKey, event.type == StateKey.memberType, stateKey == event.sender.text {
                older[.member(event.sender)] = event.nid
            }
            found += older.values
        }
        return try await events.events(found.sorted())
    }

    /// Whether the room is listed in this server's directory.
    package func isPublished(_ room: RoomNID) async throws -> Bool {
        try await events.database.read { try RoomStore.isPublished(room, on: $0) }
    }

    /// The numbers of the events that are the state at the end of the view.
    private func entries(of view: RoomView) async throws -> [EventNID] {
        switch view.standing {
        case .member, .visitor: view.snapshot.state.map(\.value.nid)
        case .departed(let departure): try await Array(events.stateAfter(departure).values)
        }
    }

    /// The state after the last event up to `position`.
    private func entries(at position: StreamPosition, in view: RoomView) async throws -> [StateKey: EventNID] {
        guard let last = try await events.timelineBackwards(view.snapshot.nid, after: .start, upTo: position, limit: 1).first
        else { return [:] }
        return try await events.stateAfter(last)
    }
}
