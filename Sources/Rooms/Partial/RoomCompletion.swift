// How a room with partial state becomes whole.

import MatrixCore
import Persistence

/// Lays what was fetched of a room under all that has happened in it since this server came into it.
struct RoomCompletion: Sendable {
    let environment: RoomEnvironment
    /// The room as it is, without its members.
    let partial: RoomHead
    let whole: WholeState

    private var nid: RoomNID { partial.snapshot.nid }

    /// How many state events are asked for at once.
    private static let batchSize = 1000
    private static let eventBatchSize = 200

    /// The room as it will be, and all that changes on the way.
    struct Outcome: Sendable {
        let head: RoomHead
        let placements: [GraphReplay.Placement]
        let stateRows: [StateLayerRow]
        let newKeys: Set<StateKey>
        let entries: EntryChanges
        /// The event by which this server came into the room.
        let join: EventID
        /// Its depth. What is less deep and had been refused is of the past.
        let joinDepth: Int64
    }

    /// - Throws: `FurtherStatesWanted`, `WholeStateRefused`.
    func outcome() async throws -> Outcome {
        let room = nid
        guard let row = try await environment.database.read({ try PartialRoomStore.row(room, on: $0) }) else {
            throw WholeStateRefused(description: "nothing is missing in the room")
        }
        let links = try await links()
        guard let joined = links.first(where: { $0.id == row.join }) else { throw RoomDamaged(room: row.id, reason: "its join is missing") }
        let missing = missing(in: links, joined)
        guard missing.isEmpty else { throw FurtherStatesWanted(after: missing) }

        var numbers = KeyNumbers(environment: environment)
        let (base, baseRow) = try await base(&numbers)
        var rows = [baseRow]
        var afterMissing: [EventID: SnapshotLayering] = [:]
        for (id, state) in whole.afterMissing { afterMissing[id] = try await layering(of: state, over: base, &numbers, &rows) }
        // Before the join there was its only predecessor, and nothing else.
        if joined.prevEvents.count == 1, let id = joined.prevEvents.first, afterMissing[id] == nil { afterMissing[id] = base.layering }

        let states = BranchStates(environment: environment, head: base, newKeys: numbers.new)
        let replay = try await GraphReplay(states: states, join: row.join, afterMissing: afterMissing).run(links)
        var outcome = try await head(after: replay, links, states)
        rows += replay.stateRows
        if let row = outcome.row { rows.append(row) }
        outcome.head.snapshot.position = partial.snapshot.position
        return Outcome(
            head: outcome.head, placements: replay.placements, stateRows: rows, newKeys: Set(numbers.new.values),
            entries: EntryChanges(from: partial.snapshot, to: outcome.head.snapshot, isLocal: environment.isLocal),
            join: row.join, joinDepth: replay.placements.first { $0.row.id == row.join }?.row.depth ?? 0)
    }

    /// Stores the numbers of the state's keys, some at a time.
    func storeKeys() async throws {
        let (table, journal, room) = (environment.stateKeys, environment.journal, nid)
        for start in stride(from: 0, to: whole.beforeJoin.count, by: Self.batchSize) {
            let ids = Array(whole.beforeJoin[start..<min(start + Self.batchSize, whole.beforeJoin.count)])
            let keys = try await environment.database.read { try StateStore.holders(of: ids, in: room, on: $0) }.map(\.stateKey)
            var numbers = KeyNumbers(environment: environment)
            _ = try await numbers.find(keys)
            let rows = numbers.new.map { (key: $0.value, number: $0.key) }
            guard !rows.isEmpty else { continue }
            try await journal.append(
                JournalBatch(
                    records: [],
                    alongside: { connection in
                        for row in rows { try StateStore.insertKey(row.key, nid: row.number, on: connection) }
                    },
                    committed: { _ in table.didStore(rows) }))
        }
    }

    // MARK: The graph

    /// The events that have their place in the graph, in an order in which they can be placed.
    private func links() async throws -> [GraphReplay.Link] {
        let (room, version) = (nid, partial.snapshot.version)
        let numbers = try await environment.database.read { try EventStore.graph(of: room, on: $0) }
        var links: [GraphReplay.Link] = []
        for start in stride(from: 0, to: numbers.count, by: Self.eventBatchSize) {
            let batch = Array(numbers[start..<min(start + Self.eventBatchSize, numbers.count)])
            let rows = try await environment.database.read { try EventStore.rows(batch, on: $0) }.sorted { $0.nid < $1.nid }
            for row in rows {
                let event = try Event(trusted: row.json, id: row.id, version: version)
                links.append(GraphReplay.Link(nid: row.nid, id: row.id, prevEvents: event.prevEvents))
            }
        }
        return DependencyOrder.sorted(links, id: \.id, foundations: \.prevEvents)
    }

    /// Previous events that are not here, and of which nobody has said what the state after them was.
    private func missing(in links: [GraphReplay.Link], _ join: GraphReplay.Link) -> [EventID] {
        let here = Set(links.map(\.id))
        let foundation = join.prevEvents.count == 1 ? Set(join.prevEvents) : []
        var missing: Set<EventID> = []
        for link in links where link.id != join.id {
            missing.formUnion(link.prevEvents.filter { !here.contains($0) && !foundation.contains($0) && whole.afterMissing[$0] == nil })
        }
        return missing.sorted()
    }

    // MARK: States

    /// The room as it was before the join.
    private func base(_ numbers: inout KeyNumbers) async throws -> (head: RoomHead, row: StateLayerRow) {
        let holders = try await holders(of: whole.beforeJoin)
        let create = partial.snapshot.createEvent
        guard holders.contains(where: { $0.stateKey == .create && $0.id == create.id }) else {
            throw WholeStateRefused(description: "it is the state of another room")
        }
        let keys = try await numbers.find(holders.map(\.stateKey))
        var head = RoomHead(roomID: partial.snapshot.roomID, nid: nid, version: partial.snapshot.version, create: create)
        var pairs: [StateDelta.Pair] = []
        // In the order of their numbers: the oldest members first.
        for holder in holders.sorted(by: { $0.event < $1.event }) {
            guard let number = keys[holder.stateKey] else { throw MatrixError.internalError }
            pairs.append(StateDelta.Pair(key: number, event: holder.event))
            head.snapshot.set(
                StateEntry(nid: holder.event, id: holder.id, membership: holder.membership, position: holder.position, key: number),
                for: holder.stateKey)
        }
        let interpreted = holders.filter { RoomSnapshot.interpretedTypes.contains($0.stateKey.type) }.map(\.event)
        for row in try await environment.database.read({ try EventStore.rows(interpreted, on: $0) }) {
            head.snapshot.interpret(try Event(trusted: row.json, id: row.id, version: head.snapshot.version))
        }
        let row = try head.layering.push(StateDelta(pairs), as: nextSnapshot())
        head.snapshot.snapshotID = row.snapshot
        return (head, row)
    }

    /// Another state, as it differs from the one before the join.
    private func layering(
        of state: [EventID], over base: RoomHead, _ numbers: inout KeyNumbers, _ rows: inout [StateLayerRow]
    ) async throws -> SnapshotLayering {
        let holders = try await holders(of: state)
        let keys = try await numbers.find(holders.map(\.stateKey))
        var pairs: [StateDelta.Pair] = []
        for holder in holders where base.snapshot.entry(holder.stateKey)?.nid != holder.event {
            if let number = keys[holder.stateKey] { pairs.append(StateDelta.Pair(key: number, event: holder.event)) }
        }
        let there = Set(holders.map(\.stateKey))
        for (key, entry) in base.snapshot.state where !there.contains(key) { pairs.append(StateDelta.Pair(key: entry.key, event: nil)) }
        guard !pairs.isEmpty else { return base.layering }
        var layering = base.layering
        rows.append(try layering.push(StateDelta(pairs), as: nextSnapshot()))
        return layering
    }

    /// Of two events for one entry the later one of the list counts.
    private func holders(of ids: [EventID]) async throws -> [StateHolderRow] {
        let room = nid
        var found: [StateKey: StateHolderRow] = [:]
        for start in stride(from: 0, to: ids.count, by: Self.batchSize) {
            let batch = Array(ids[start..<min(start + Self.batchSize, ids.count)])
            let rows = try await environment.database.read { try StateStore.holders(of: batch, in: room, on: $0) }
            let byID = Dictionary(rows.map { ($0.id, $0) }) { first, _ in first }
            for id in batch { if let row = byID[id] { found[row.stateKey] = row } }
        }
        return Array(found.values)
    }

    // MARK: What becomes of the room

    private func head(
        after replay: GraphReplay.Result, _ links: [GraphReplay.Link], _ states: BranchStates
    ) async throws -> (head: RoomHead, row: StateLayerRow?) {
        var head = states.head
        head.forwardExtremities = partial.forwardExtremities
        head.depth = partial.depth
        if replay.placements.contains(where: { $0.isRejected != $0.wasRejected }) {
            head.forwardExtremities = GraphReplay.extremities(replay.placements, links: links)
        }
        var branches: [SnapshotLayering] = []
        for id in head.forwardExtremities {
            if let after = replay.after[id], !branches.contains(where: { $0.top == after.top }) { branches.append(after) }
        }
        guard let first = branches.first else { return (head, nil) }
        if branches.count == 1 {
            for change in try await states.changes(to: first) { head.snapshot.apply(change) }
            head.layering = first
            head.snapshot.snapshotID = first.top
            return (head, nil)
        }
        let changes = try await states.resolve(branches)
        for change in changes { head.snapshot.apply(change) }
        guard !changes.isEmpty else { return (head, nil) }
        let row = try head.layering.push(StateDelta(changes.map(\.pair)), as: nextSnapshot())
        head.snapshot.snapshotID = row.snapshot
        return (head, row)
    }

    private func nextSnapshot() -> SnapshotID { SnapshotID(environment.sequences.next(.snapshots)) }
}

/// The numbers of state keys as they are needed, and which of them may not be stored yet.
struct KeyNumbers: Sendable {
    let environment: RoomEnvironment
    private(set) var new: [StateKeyNID: StateKey] = [:]

    init(environment: RoomEnvironment) {
        self.environment = environment
    }

    mutating func find(_ keys: [StateKey]) async throws -> [StateKey: StateKeyNID] {
        var numbers = try await environment.stateKeys.find(keys)
        for key in keys where numbers[key] == nil { numbers[key] = environment.stateKeys.number(ofNew: key) }
        for row in environment.stateKeys.rowsToStore(keys) { new[row.number] = row.key }
        return numbers
    }
}

/// What is other in a room's current state than it was, entry by entry.
struct EntryChanges: Sendable {
    /// Entries that nobody knew: the members that were left out. Clients learn of them as they learn of those of any room.
    private(set) var added: [StateDelta.Pair] = []
    /// Entries that were known to be otherwise.
    private(set) var changed: [StateDelta.Pair] = []
    private(set) var localMembers: [EventRecord.LocalMember] = []
    /// Users of other servers who were taken for members and are none.
    private(set) var departed: [UserID] = []

    init(from old: RoomSnapshot, to new: RoomSnapshot, isLocal: (UserID) -> Bool) {
        for (key, entry) in new.state {
            let before = old.entry(key)
            guard before?.nid != entry.nid else { continue }
            let pair = StateDelta.Pair(key: entry.key, event: entry.nid)
            if before == nil { added.append(pair) } else { changed.append(pair) }
            guard let membership = entry.membership else { continue }
            let user = UserID(trusted: key.stateKey.string)
            if isLocal(user) {
                localMembers.append(EventRecord.LocalMember(user: user, membership: membership, event: entry.nid))
            } else if before?.membership == .join, membership != .join {
                departed.append(user)
            }
        }
        for (key, entry) in old.state where new.entry(key) == nil {
            changed.append(StateDelta.Pair(key: entry.key, event: nil))
            let user = UserID(trusted: key.stateKey.string)
            if entry.membership == .join, !isLocal(user) { departed.append(user) }
        }
    }
}
