// From verified events to events of a room: what they stand on is fetched where it is not here, in bounded steps.
// Server-Server API §Checks performed on receipt of a PDU, §Backfilling and retrieving missing events.

import Logging
import MatrixCore
import Persistence
import Rooms

/// Brings events of other servers into their rooms.
///
/// Of each room one event at a time is looked after: two servers that tell of the same gap do not have it filled twice.
package struct EventIntake: Sendable {
    private let client: FederationClient
    private let verifier: EventVerifier
    private let database: any Database
    private let logger: Logger
    private let queues = KeyedQueue<RoomID>()

    /// How many events are fetched to close a gap. What is beyond is left to those who page back.
    private static let gapLimit = 20
    /// From so many missing events of a state on, the state is fetched as a whole.
    private static let singleFetchLimit = 60
    /// How many single events are fetched at once.
    private static let width = 6

    package init(client: FederationClient, verifier: EventVerifier, database: any Database, logger: Logger) {
        self.client = client
        self.verifier = verifier
        self.database = database
        self.logger = logger
    }

    /// Brings verified events of one room in, in their order.
    ///
    /// - Returns: why events were not let in, by their ids.
    /// - Throws: `DatabaseError` when they cannot be stored; then they should come again.
    package func take(_ events: [Event], in room: Room, from server: ServerName) async throws -> [EventID: String] {
        try await queues.run(room.id) {
            var refusals: [EventID: String] = [:]
            for (event, refusal) in zip(events, try await takeInTurn(events, in: room, from: server)) {
                if let refusal { refusals[event.id] = refusal }
            }
            return refusals
        }
    }

    /// Brings one event in, and says what became of it.
    package func take(_ remote: RemoteEvent, in room: Room, from server: ServerName) async throws -> Receipt {
        try await queues.run(room.id) { try await takeOne(remote, in: room, from: server) }
    }

    /// Brings events in that happened before all that is known of the room.
    ///
    /// - Parameter events: verified, in any order.
    package func takePast(_ events: [Event], in room: Room, from server: ServerName) async throws {
        try await queues.run(room.id) {
            let known = try await standings(events.map(\.id))
            // The newest first: each gets the place before those that are there.
            let new = events.filter { known[$0.id]?.isInGraph != true }.sorted { $0.isBefore($1) }
            guard let oldest = new.first else { return }
            var states = try await statesOfPast(new, oldest: oldest, in: room, from: server)
            for event in new.reversed() {
                var remote = RemoteEvent(event, path: .past)
                remote.stateBefore = states.removeValue(forKey: event.id)
                _ = try await takeOne(remote, in: room, from: server)
            }
        }
    }

    // MARK: In turn

    /// - Returns: for each event why it was not let in.
    private func takeInTurn(_ events: [Event], in room: Room, from server: ServerName) async throws -> [String?] {
        // The usual case asks nothing: each follows the one before, and the first one follows what is here.
        let known = try await standings(Array(Set(events.flatMap { $0.prevEvents + $0.authEvents })))
        var here = Set(known.filter { $0.value.isInGraph }.map(\.key))
        var isKnown = Set(known.keys)
        var run: [Int] = []
        var refusals = [String?](repeating: nil, count: events.count)
        for (index, event) in events.enumerated() {
            let isFounded = event.prevEvents.allSatisfy(here.contains) && event.authEvents.allSatisfy(isKnown.contains)
            if isFounded {
                run.append(index)
            } else {
                try await receive(&run, of: events, in: room, &refusals)
                refusals[index] = try await receipt(of: RemoteEvent(event), in: room, from: server)
            }
            here.insert(event.id)
            isKnown.insert(event.id)
        }
        try await receive(&run, of: events, in: room, &refusals)
        return refusals
    }

    /// Hands a run of events over together: the room makes one batch of them.
    private func receive(_ run: inout [Int], of events: [Event], in room: Room, _ refusals: inout [String?]) async throws {
        for (index, receipt) in zip(run, await room.receive(run.map { RemoteEvent(events[$0]) })) {
            do {
                refusals[index] = try receipt.get().rejectionReason
            } catch let error as MissingFoundation {
                refusals[index] = error.description
            }
        }
        run.removeAll()
    }

    private func receipt(of remote: RemoteEvent, in room: Room, from server: ServerName) async throws -> String? {
        do {
            return try await takeOne(remote, in: room, from: server).rejectionReason
        } catch let error as MissingFoundation {
            return error.description
        } catch let error as FederationFailure {
            return "what it stands on could not be fetched: \(error)"
        }
    }

    // MARK: One event

    private func takeOne(_ remote: RemoteEvent, in room: Room, from server: ServerName) async throws -> Receipt {
        let event = remote.event
        var remote = remote
        var known = try await standings(event.prevEvents + event.authEvents + [event.id])
        if known[event.id]?.isInGraph == true { return .known }
        if remote.stateBefore == nil, remote.path != .past, event.prevEvents.contains(where: { known[$0]?.isInGraph != true }) {
            try await closeGap(before: event, in: room, from: server)
            known = try await standings(event.prevEvents + event.authEvents)
        }
        if event.authEvents.contains(where: { known[$0] == nil }) {
            let chain = try await client.authChain(of: event.id, in: room.id, from: server)
            try await room.storeOutliers(verifier.verified(chain, version: room.version, in: room.id))
        }
        if remote.stateBefore == nil, event.prevEvents.contains(where: { known[$0]?.isInGraph != true }) {
            remote.stateBefore = try await fetchState(before: event.id, in: room, from: server)
        }
        let receipt = try await room.receive(remote)
        if let refusal = receipt.refusal {
            logger.info("an event was not let in", metadata: ["event": "\(event.id)", "room": "\(room.id)", "reason": "\(refusal)"])
        }
        return receipt
    }

    /// Fetches the events between what is here and `event`, and brings them in. What is still missing then stays so.
    private func closeGap(before event: Event, in room: Room, from server: ServerName) async throws {
        let list: [JSON]
        do {
            list = try await client.missingEvents(
                in: room.id, after: room.forwardExtremities, before: [event.id], limit: Self.gapLimit, from: server)
        } catch {
            logger.info("a gap stays open", metadata: ["room": "\(room.id)", "server": "\(server)", "error": "\(error)"])
            return
        }
        let events = try await verifier.verified(Array(list.prefix(Self.gapLimit)), version: room.version, in: room.id)
        for earlier in events.sorted(by: { $0.isBefore($1) }) where earlier.id != event.id {
            var remote = RemoteEvent(earlier)
            do {
                let known = try await standings(earlier.prevEvents)
                if earlier.prevEvents.contains(where: { known[$0]?.isInGraph != true }) {
                    remote.stateBefore = try await fetchState(before: earlier.id, in: room, from: server)
                }
                _ = try await takeOne(remote, in: room, from: server)
            } catch let error as FederationFailure {
                logger.info("an event of a gap is left out", metadata: ["event": "\(earlier.id)", "error": "\(error)"])
            } catch let error as MissingFoundation {
                logger.info("an event of a gap is left out", metadata: ["event": "\(earlier.id)", "error": "\(error)"])
            }
        }
    }

    // MARK: States

    /// Learns from a server what the room's state before an event was, and makes sure that its events are here.
    private func fetchState(before event: EventID, in room: Room, from server: ServerName) async throws -> [EventID] {
        let ids = try await client.stateIDs(of: room.id, at: event, from: server)
        let wanted = Set(ids.state + ids.authChain)
        let missing = wanted.subtracting(try await standings(Array(wanted)).keys)
        if missing.count > Self.singleFetchLimit {
            let list = try await client.state(of: room.id, at: event, from: server)
            try await room.storeOutliers(verifier.verified(list, version: room.version, in: room.id))
        } else if !missing.isEmpty {
            try await room.storeOutliers(fetch(missing, in: room, from: server))
        }
        // What the server names and does not give, or what is refused, is not part of the state.
        let here = try await standings(ids.state)
        return ids.state.filter { id in here[id].map { !$0.isRejected && $0.room == room.nid } ?? false }
    }

    private func fetch(_ ids: Set<EventID>, in room: Room, from server: ServerName) async throws -> [Event] {
        let client = client
        let list = await withTaskGroup(of: [JSON].self) { group in
            var found: [JSON] = []
            var rest = Array(ids)[...]
            for _ in 0..<Self.width {
                guard let id = rest.popFirst() else { break }
                group.addTask { await Self.single(id, client, server) }
            }
            for await events in group {
                found += events.prefix(1)
                if let id = rest.popFirst() { group.addTask { await Self.single(id, client, server) } }
            }
            return found
        }
        return try await verifier.verified(list, version: room.version, in: room.id)
    }

    private static func single(_ id: EventID, _ client: FederationClient, _ server: ServerName) async -> [JSON] {
        // A missing event of a state is left out of it.
        do { return try await client.event(id, at: server) } catch { return [] }
    }

    /// The states before events of the past, as far as they do not follow from others: the one before the oldest is asked for, the others
    /// follow by what the events between set.
    private func statesOfPast(
        _ events: [Event], oldest: Event, in room: Room, from server: ServerName
    ) async throws -> [EventID: [EventID]] {
        let first = try await fetchState(before: oldest.id, in: room, from: server)
        let keys = try await database.read { try EventStore.stateKeys(of: first, in: room.nid, on: $0) }
        var state: [StateKey: EventID] = [:]
        for row in keys { state[row.key] = row.id }
        try await room.storeOutliers(events.filter(\.isState))
        var states: [EventID: [EventID]] = [:]
        for event in events {
            states[event.id] = Array(state.values)
            if let key = event.key { state[key] = event.id }
        }
        return states
    }

    private func standings(_ ids: [EventID]) async throws -> [EventID: EventStanding] {
        guard !ids.isEmpty else { return [:] }
        return try await database.read { try EventStore.standings(Set(ids), on: $0) }
    }
}

extension Receipt {
    /// What the sender of a transaction is told. That an event is soft-failed is nobody's business.
    fileprivate var rejectionReason: String? {
        if case .rejected(let reason) = self { reason } else { nil }
    }
}

extension Event {
    /// An order in which events of one answer can be brought in.
    package func isBefore(_ other: Event) -> Bool {
        (depth, originServerTimestamp.milliseconds) < (other.depth, other.originServerTimestamp.milliseconds)
    }
}
