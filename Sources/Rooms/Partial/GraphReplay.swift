// The events of a room since this server came into it, placed again over the whole state. Server-Server API §Checks performed on receipt
// of a PDU, steps 4 and 5.

import MatrixCore
import Persistence

/// Finds out anew what every event of a room's graph stands on and whether it is allowed there. It reads and decides; nothing changes by it.
struct GraphReplay: Sendable {
    /// Over the room as it was before the join.
    let states: BranchStates
    let join: EventID
    /// States after previous events that are not here.
    let afterMissing: [EventID: SnapshotLayering]

    private var environment: RoomEnvironment { states.environment }
    private var base: RoomHead { states.head }

    /// How many events are in memory at once.
    private static let batchSize = 200

    /// What becomes of one event.
    struct Placement: Sendable {
        let row: EventRow
        let before: SnapshotID
        let after: SnapshotID?
        let replaced: ResolvedEntry.Holder?
        let flags: EventFlags

        var isRejected: Bool { flags.contains(.rejected) }
        var wasRejected: Bool { row.flags.contains(.rejected) }
        /// It happened before the join, and was fetched by who paged back.
        var isOfPast: Bool { row.position.map { $0 < .zero } ?? false }
    }

    struct Result: Sendable {
        var placements: [Placement] = []
        /// The room's state after each event.
        var after: [EventID: SnapshotLayering] = [:]
        var isRejected: [EventID: Bool] = [:]
        /// States that are to be stored.
        var stateRows: [StateLayerRow] = []
    }

    /// An event and what it follows.
    struct Link: Sendable {
        let nid: EventNID
        let id: EventID
        let prevEvents: [EventID]
    }

    /// - Parameter links: the events of the graph, in an order in which they can be placed.
    func run(_ links: [Link]) async throws -> Result {
        var result = Result()
        for start in stride(from: 0, to: links.count, by: Self.batchSize) {
            let batch = links[start..<min(start + Self.batchSize, links.count)]
            let rows = try await environment.database.read { try EventStore.rows(batch.map(\.nid), on: $0) }
            let byNumber = Dictionary(rows.map { ($0.nid, $0) }) { first, _ in first }
            for link in batch { if let row = byNumber[link.nid] { try await place(row, &result) } }
        }
        return result
    }

    private func place(_ row: EventRow, _ result: inout Result) async throws {
        let event = try Event(trusted: row.json, id: row.id, version: base.snapshot.version)
        let before = try await stateBefore(event, &result)
        let authEvents = try await environment.database.read { try EventStore.rows(event.authEvents, on: $0) }
        let verdicts = result.isRejected
        let room = base.snapshot.nid
        let cited = Dictionary(authEvents.map { ($0.id, $0.flags.contains(.rejected) || $0.roomNID != room) }) { first, _ in first }
        let rejection = try await states.rejection(of: event, citing: authEvents, before: before) { verdicts[$0] ?? cited[$0] ?? true }
        if let rejection, row.id == join { throw WholeStateRefused(description: "it does not allow the join: \(rejection.reason)") }
        var replaced: ResolvedEntry.Holder?
        if let key = event.key { replaced = try await states.holders([key], in: before).first }

        var after = before
        if rejection == nil, let key = event.key {
            let number = try await environment.stateKeys.find([key])[key] ?? environment.stateKeys.number(ofNew: key)
            result.stateRows.append(try after.push(StateDelta([.init(key: number, event: row.nid)]), as: nextSnapshot()))
        }
        result.after[row.id] = after
        result.isRejected[row.id] = rejection != nil
        result.placements.append(
            Placement(
                row: row, before: before.top, after: after.top == before.top ? nil : after.top, replaced: replaced,
                flags: rejection == nil ? row.flags.subtracting(.rejected) : row.flags.union(.rejected)))
    }

    private func stateBefore(_ event: Event, _ result: inout Result) async throws -> SnapshotLayering {
        guard event.id != join else { return base.layering }
        guard !event.prevEvents.isEmpty else { return SnapshotLayering() }
        var branches: [SnapshotLayering] = []
        for id in event.prevEvents {
            guard let branch = result.after[id] ?? afterMissing[id], !branches.contains(where: { $0.top == branch.top }) else { continue }
            branches.append(branch)
        }
        guard branches.count > 1 else { return branches.first ?? base.layering }
        let changes = try await states.resolve(branches).map(\.pair)
        guard !changes.isEmpty else { return base.layering }
        var layering = base.layering
        result.stateRows.append(try layering.push(StateDelta(changes), as: nextSnapshot()))
        return layering
    }

    private func nextSnapshot() -> SnapshotID { SnapshotID(environment.sequences.next(.snapshots)) }
}

extension GraphReplay {
    /// The newest events of the graph: those that are not refused, and that no other one of these follows.
    static func extremities(_ placements: [Placement], links: [Link]) -> [EventID] {
        let followed = Dictionary(links.map { ($0.id, $0.prevEvents) }) { first, _ in first }
        let accepted = placements.filter { $0.flags.isDisjoint(with: [.rejected, .softFailed]) && !$0.isOfPast }.map(\.row.id)
        let past = Set(accepted.flatMap { followed[$0] ?? [] })
        return accepted.filter { !past.contains($0) }
    }
}
