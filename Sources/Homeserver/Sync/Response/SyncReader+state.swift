// The state part of a room, its members as far as the client needs them, and its summary.

import MatrixCore
import Persistence
import Rooms

extension SyncReader {
    private func selection(_ answer: RoomAnswer) -> StateSelection {
        StateSelection(returned: Set(answer.timeline.events.map(\.nid)), usesStateAfter: request.usesStateAfter)
    }

    private func neededMembers(_ answer: RoomAnswer) -> Set<UserID> {
        LazyMembers.needed(for: answer.timeline.events, usesStateAfter: request.usesStateAfter)
    }

    // MARK: Joined rooms

    /// Adds `state` or `state_after`, and the summary where members or the room's name are news.
    func addState(to answer: inout RoomAnswer, room: RoomScope, base known: RoomBase?, isWhole: Bool) async throws {
        let timeline = answer.timeline
        var changed: [StateKey: EventNID] = [:]
        let isCompleted = hasBecomeWhole(room)
        if !isWhole, let since {
            changed = try await changes(room.room.nid, timeline, since: since, isResolved: isCompleted)
            if !filter.lazyLoadsMembers, changed.isEmpty, !namesAreNews(timeline, changed) { return }
        }
        let needsSummary = isWhole || isCompleted || namesAreNews(timeline, changed)
        guard isWhole || needsSummary || filter.lazyLoadsMembers else {
            answer.state = try await stateEvents(changed.values)
            return
        }
        let base: RoomBase
        if let known { base = known } else { base = try await self.base(of: room) }
        let newer = try await newerEvents(in: room.room.nid, than: upTo, upTo: base.snapshot.position)
        let rollback = StateRollback(passed: timeline.passed, newer: newer)
        if needsSummary { answer.summary = try await summary(base.snapshot) }

        var chosen = changed
        if isWhole { chosen = whole(base, rollback, selection(answer)) }
        if filter.lazyLoadsMembers {
            var members = neededMembers(answer)
            if isWhole { members.insert(request.user) }
            let selection = selection(answer)
            let heroes = answer.summary?.heroes ?? []
            for (key, event) in lazyMembers(members.union(heroes), base, rollback, selection, isWhole: isWhole)
            where chosen[key] == nil {
                chosen[key] = event
            }
        }
        answer.state = try await stateEvents(chosen.values)
    }

    /// The room's whole state, but for members that are loaded lazily.
    private func whole(_ base: RoomBase, _ rollback: StateRollback, _ selection: StateSelection) -> [StateKey: EventNID] {
        var chosen: [StateKey: EventNID] = [:]
        func add(_ key: StateKey, _ newest: EventNID?) {
            let event = selection.choose(start: rollback.start(key, newest: newest), end: rollback.end(key, newest: newest))
            if let event { chosen[key] = event }
        }
        if filter.lazyLoadsMembers {
            for (key, event) in base.withoutMembers { add(key, event) }
        } else {
            for (key, entry) in base.snapshot.state { add(key, entry.nid) }
        }
        // Keys that have gone from the newest state.
        for key in rollback.changedKeys where chosen[key] == nil {
            if filter.lazyLoadsMembers, key.type == StateKey.memberType { continue }
            add(key, base.snapshot.entry(key)?.nid)
        }
        return chosen
    }

    /// The member events of `members` that the client has not got yet.
    private func lazyMembers(
        _ members: Set<UserID>, _ base: RoomBase, _ rollback: StateRollback, _ selection: StateSelection, isWhole: Bool
    ) -> [(StateKey, EventNID)] {
        var found: [(StateKey, EventNID)] = []
        for member in members {
            let key = StateKey.member(member)
            let newest = base.snapshot.entry(key)?.nid
            let event = selection.usesStateAfter ? rollback.end(key, newest: newest) : rollback.start(key, newest: newest)
            if let event, selection.usesStateAfter || !selection.returned.contains(event) { found.append((key, event)) }
        }
        guard !isWhole, !filter.repeatsMembers, !found.isEmpty else { return found }
        let known = engine.knownMembers(found.map(\.1), request, since: since)
        return found.filter { !known.contains($0.1) }
    }

    // MARK: Rooms that were left

    func addState(to answer: inout RoomAnswer, leftBy departure: TimelineEvent, isWhole: Bool) async throws {
        let timeline = answer.timeline
        guard isWhole else {
            guard let since else { return }
            answer.state = try await stateEvents(changes(answer.nid, timeline, since: since).values)
            return
        }
        var newest = try await events.state(at: departure.snapshotBefore)
        newest[.member(request.user)] = departure.nid
        let rollback = StateRollback(passed: timeline.passed, newer: [])
        let selection = selection(answer)
        let members = filter.lazyLoadsMembers ? neededMembers(answer).union([request.user]) : []
        let chosen = newest.compactMap { key, event -> EventNID? in
            if filter.lazyLoadsMembers, key.type == StateKey.memberType, !members.contains(where: { $0.text == key.stateKey }) {
                return nil
            }
            return selection.choose(start: rollback.start(key, newest: event), end: rollback.end(key, newest: event))
        }
        answer.state = try await stateEvents(chosen)
    }

    // MARK: Changes

    /// What changed since the last sync and is not in the timeline; with `state_after`, all that changed.
    ///
    /// - Parameter isResolved: the state changed otherwise than by events of the timeline.
    private func changes(
        _ room: RoomNID, _ timeline: TimelineWindow, since: StreamPosition, isResolved: Bool = false
    ) async throws -> [StateKey: EventNID] {
        let returned = Set(timeline.events.map(\.nid))
        // Where forks met, the state is not what the events of the timeline say.
        if isResolved || timeline.passed.contains(where: \.resolvesForks) {
            let changes = try await events.stateChanges(room, after: since, upTo: upTo)
            return request.usesStateAfter ? changes : changes.filter { !returned.contains($0.value) }
        }
        var gap: [StateKey: EventNID] = [:]
        if timeline.start > since {
            gap = try await events.stateChanges(room, after: since, upTo: timeline.start)
        }
        guard !gap.isEmpty || timeline.passed.contains(where: \.isState) else { return [:] }
        let selection = StateSelection(returned: returned, usesStateAfter: request.usesStateAfter)
        return selection.choose(gap: gap, passed: timeline.passed)
    }

    /// Whether something happened by which the room may be called differently.
    private func namesAreNews(_ timeline: TimelineWindow, _ changed: [StateKey: EventNID]) -> Bool {
        func isNews(_ type: ByteString) -> Bool {
            type == StateKey.memberType || type == StateKey.name.type || type == StateKey.canonicalAlias.type
        }
        // Who only changes their profile is the same member as before.
        let isNewsThere = timeline.passed.contains { event in
            event.isState && isNews(event.type) && (event.membership == nil || event.membership != event.previousMembership)
        }
        if isNewsThere { return true }
        let there = Set(timeline.passed.lazy.filter(\.isState).map(\.nid))
        return changed.contains { isNews($0.key.type) && !there.contains($0.value) }
    }

    /// The events themselves, oldest first, as far as the filter lets them through.
    private func stateEvents(_ nids: some Sequence<EventNID>) async throws -> [TimelineEvent] {
        let sorted = nids.sorted()
        guard !sorted.isEmpty, !filter.filter.room.state.passesNothing else { return [] }
        let found = try await events.events(sorted)
        return filter.statePassesEverything ? found : found.filter { filter.passesState($0) }
    }

    // MARK: Summary

    private func summary(_ snapshot: RoomSnapshot) async throws -> RoomSummary {
        var summary = RoomSummary(joinedCount: snapshot.joinedCount, invitedCount: snapshot.invitedCount)
        if try await !hasName(snapshot) { summary.heroes = snapshot.heroes(for: request.user) }
        return summary
    }

    private func hasName(_ snapshot: RoomSnapshot) async throws -> Bool {
        for (key, property) in [(StateKey.name, "name"), (.canonicalAlias, "alias")] {
            guard let entry = snapshot.entry(key), let event = try await events.event(entry.nid) else { continue }
            let content = (try? event.content()) ?? nil
            if let text = content?[property]?.string, !text.isEmpty { return true }
        }
        return false
    }
}
