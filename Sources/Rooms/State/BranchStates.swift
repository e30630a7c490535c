// The states at the ends of a room's forks, and what they are resolved to. Rooms §State resolution.

import MatrixCore
import Persistence

/// One entry of a state that was put together from several, with all that a room keeps of it.
struct ResolvedEntry: Sendable {
    let key: StateKey
    let keyNumber: StateKeyNID
    /// nil: the state has no such entry.
    let holder: Holder?

    struct Holder: Sendable {
        let nid: EventNID
        let position: StreamPosition
        let event: Event
    }

    var pair: StateDelta.Pair { StateDelta.Pair(key: keyNumber, event: holder?.nid) }
}

/// Reads stored states of a room and resolves them. What it works with are differences from the room's present state: two branches that
/// parted some events ago cost those events.
struct BranchStates: Sendable {
    let environment: RoomEnvironment
    let head: RoomHead
    /// Keys whose numbers may not be stored yet.
    var newKeys: [StateKeyNID: StateKey] = [:]
    private var version: RoomVersion { head.snapshot.version }

    /// A stored state.
    func layering(of snapshot: SnapshotID) async throws -> SnapshotLayering {
        if snapshot == head.layering.top { return head.layering }
        return SnapshotLayering(try await environment.database.read { try StateStore.layers(of: snapshot, on: $0) })
    }

    /// The events of some keys in a state; keys without one are left out.
    func holders(_ keys: [StateKey], in state: SnapshotLayering) async throws -> [ResolvedEntry.Holder] {
        let numbers = try await environment.stateKeys.find(keys)
        return try await rows(Array(try state.events(numbers.values).values))
    }

    // MARK: Resolving

    /// What the resolution of several states has other than the room's present one.
    ///
    /// - Parameter new: an event in one of them that is not stored yet.
    func resolve(_ states: [SnapshotLayering], with new: ResolvedEntry.Holder? = nil) async throws -> [ResolvedEntry] {
        let differences = try states.map { try $0.difference(from: head.layering) }
        let names = try await names(of: differences, with: new)
        let forks = StateForks(try differences.map { try names.changes($0) }) { head.snapshot.entry($0)?.id }
        let changes = try await run(StateResolver(forks, in: head.snapshot.roomID, version: version), with: new)
        let set = try await environment.database.read { connection in
            try EventStore.rows(Array(changes.set.values), on: connection)
        }
        var holders = Dictionary(try set.map { row in (row.id, try holder(row)) }) { first, _ in first }
        if let new { holders[new.event.id] = new }
        var entries: [ResolvedEntry] = []
        for key in Set(changes.set.keys).union(changes.removed) {
            let wanted = changes.set[key]
            guard wanted != head.snapshot.entry(key)?.id else { continue }
            guard let number = head.snapshot.entry(key)?.key ?? names.numbers[key] else { throw MatrixError.internalError }
            entries.append(ResolvedEntry(key: key, keyNumber: number, holder: wanted.flatMap { holders[$0] }))
        }
        return entries
    }

    /// What one state has other than the room's present one.
    func changes(to state: SnapshotLayering, with new: ResolvedEntry.Holder? = nil) async throws -> [ResolvedEntry] {
        let difference = try state.difference(from: head.layering)
        let keys = try await keys(difference.pairs.map(\.key), with: new)
        var holders = Dictionary(try await rows(difference.pairs.compactMap(\.event)).map { ($0.nid, $0) }) { first, _ in first }
        if let new { holders[new.nid] = new }
        return difference.pairs.compactMap { pair in
            keys[pair.key].map { ResolvedEntry(key: $0, keyNumber: pair.key, holder: pair.event.flatMap { holders[$0] }) }
        }
    }

    private func run(_ resolver: StateResolver, with new: ResolvedEntry.Holder?) async throws -> StateChanges {
        var resolver = resolver
        while true {
            switch try resolver.advance() {
            case .resolved(let changes): return changes
            case .needs(let request): resolver.supply(try await answer(request, with: new))
            }
        }
    }

    private func answer(_ request: ResolutionRequest, with new: ResolvedEntry.Holder?) async throws -> ResolutionAnswer {
        let (room, version, snapshot) = (head.snapshot.nid, version, head.snapshot)
        return try await environment.database.read { connection in
            var answer = ResolutionAnswer()
            for row in try EventStore.rows(request.events, on: connection) where row.roomNID == room {
                let event = try Event(trusted: row.json, id: row.id, version: version)
                answer.events.append(ResolutionEvent(event, isRejected: row.flags.contains(.rejected)))
            }
            for page in request.citations {
                var found = try AuthCitationStore.page(page, on: connection)
                if let new, let key = new.event.key, found.count < page.limit, new.event.authEvents.contains(page.cited) {
                    found.append(Citation(citing: new.event.id, key: key))
                }
                answer.citations[page] = found
            }
            if let new, request.events.contains(new.event.id) { answer.events.append(ResolutionEvent(new.event)) }
            for key in request.entries { answer.entries[key] = snapshot.entry(key)?.id }
            return answer
        }
    }

    // MARK: Reading

    /// The keys and events of differences by their numbers.
    private struct Names {
        let keys: [StateKeyNID: StateKey]
        let events: [EventNID: EventID]
        var numbers: [StateKey: StateKeyNID] = [:]

        func changes(_ delta: StateDelta) throws -> StateChanges {
            var changes = StateChanges()
            for pair in delta.pairs {
                guard let key = keys[pair.key] else { throw MatrixError.internalError }
                if let nid = pair.event {
                    guard let id = events[nid] else { throw MatrixError.internalError }
                    changes.set[key] = id
                } else {
                    changes.removed.insert(key)
                }
            }
            return changes
        }
    }

    private func names(of differences: [StateDelta], with new: ResolvedEntry.Holder?) async throws -> Names {
        let pairs = differences.flatMap(\.pairs)
        let nids = Set(pairs.compactMap(\.event))
        let keys = try await keys(Array(Set(pairs.map(\.key))), with: new)
        var events = try await environment.database.read { try EventStore.ids(of: Array(nids), on: $0) }
        if let new { events[new.nid] = new.event.id }
        return Names(keys: keys, events: events, numbers: Dictionary(keys.map { ($0.value, $0.key) }) { first, _ in first })
    }

    /// The number of a key that only a new event has may not be stored yet.
    private func keys(_ numbers: [StateKeyNID], with new: ResolvedEntry.Holder?) async throws -> [StateKeyNID: StateKey] {
        var keys = try await environment.database.read { try StateStore.keys(numbers, on: $0) }
        keys.merge(newKeys) { stored, _ in stored }
        if let key = new?.event.key, let number = environment.stateKeys.cached(key) { keys[number] = key }
        return keys
    }

    private func rows(_ nids: [EventNID]) async throws -> [ResolvedEntry.Holder] {
        guard !nids.isEmpty else { return [] }
        return try await environment.database.read { try EventStore.rows(nids, on: $0) }.map(holder)
    }

    private func holder(_ row: EventRow) throws -> ResolvedEntry.Holder {
        ResolvedEntry.Holder(
            nid: row.nid, position: row.position ?? .start, event: try Event(trusted: row.json, id: row.id, version: version))
    }
}
