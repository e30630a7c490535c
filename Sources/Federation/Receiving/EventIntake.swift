// From verified events to events of a room: what they stand on is fetched where it is not here, in bounded steps.
// Server-Server API §Checks performed on receipt of a PDU, §Backfilling and retrieving missing events.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle

/// Brings events of other servers into their rooms.
///
/// Of each room and server one event at a time is looked after. Servers do not wait for each other: one that is slow to say what its
/// events stand on holds up nobody else's.
package struct EventIntake: Sendable {
    let client: FederationClient
    let verifier: EventVerifier
    private let database: any Database
    private let logger: Logger
    private let queues = KeyedQueue<Lane>()
    private let late: LateEvents

    private struct Lane: Hashable {
        let room: RoomID
        /// nil: the room's past.
        let server: ServerName?
    }

    /// How many events of a gap are asked for at first, and then how often how many of those before them. So what was said while this server
    /// was away stands where it was said; what is beyond is left to those who page back to the beginning.
    private static let gapLimit = 20
    private static let olderParts = 5
    private static let olderLimit = 100
    /// How many events are named of which those before are asked for.
    private static let startLimit = 10
    /// From so many missing events of a state on, the state is fetched as a whole.
    static let singleFetchLimit = 60
    /// How many single events are fetched at once.
    private static let width = 6
    /// For how many branches of a part of the past their state is asked for. Those beyond are taken to begin as the oldest does.
    private static let branchLimit = 20
    /// How many other servers are asked when the one that told of an event does not answer.
    private static let otherLimit = 2

    package init(client: FederationClient, verifier: EventVerifier, rooms: RoomRegistry, logger: Logger) {
        self.client = client
        self.verifier = verifier
        self.logger = logger
        database = rooms.environment.database
        late = LateEvents(database: database, rooms: rooms, logger: logger)
    }

    /// Brings verified events of one room in, in their order. What becomes of them by the room's rules is nobody's business elsewhere:
    /// who is told that an event was rejected would send it again.
    ///
    /// - Throws: `DatabaseError`, `TooManyLateEvents` when they cannot be stored; then they should come again.
    package func take(_ events: [Event], in room: Room, from server: ServerName) async throws {
        try await queues.run(Lane(room: room.id, server: server)) { try await takeInTurn(events, in: room, from: server) }
    }

    /// Brings one event in, and says what became of it.
    package func take(_ remote: RemoteEvent, in room: Room, from server: ServerName) async throws -> Receipt {
        try await queues.run(Lane(room: room.id, server: server)) { try await takeOne(remote, in: room, from: server) }
    }

    /// Brings events in that happened before what is known of the room, or in a gap of it.
    ///
    /// - Parameter events: verified, in any order.
    package func takePast(_ events: [Event], in room: Room, from server: ServerName) async throws {
        try await queues.run(Lane(room: room.id, server: nil)) {
            let known = try await standings(events.map(\.id))
            // The oldest first: the states of the others follow from theirs. There may be several gaps in what is known, and branches in each.
            let new = events.filter { known[$0.id]?.isInGraph != true }.sorted { $0.isBefore($1) }
            var states: [EventID: [EventID]] = [:]
            if room.current.isPartial {
                try await fetchAuthEvents(of: new, in: room, from: server)
            } else {
                states = try await statesBeforePast(new, in: room, from: server)
            }
            let past = try await room.pastPlaces(for: new)
            do {
                for (event, place) in zip(new, past.places) {
                    var remote = RemoteEvent(event, path: .past)
                    (remote.position, remote.floor) = (place.position, place.floor)
                    if event.prevEvents.isEmpty { remote.stateBefore = [] }
                    for id in event.prevEvents { remote.statesAfterMissing[id] = states[id] }
                    do {
                        _ = try await takeOne(remote, in: room, from: server)
                    } catch let error as MissingFoundation {
                        note(error, of: event)
                    }
                }
            } catch {
                try await room.didFill(past)
                throw error
            }
            try await room.didFill(past)
        }
    }

    // MARK: In turn

    private func takeInTurn(_ events: [Event], in room: Room, from server: ServerName) async throws {
        // The usual case asks nothing: each follows the one before, and the first one follows what is here.
        let known = try await standings(Array(Set(events.flatMap { $0.prevEvents + $0.authEvents })))
        var here = Set(known.filter { $0.value.isInGraph }.map(\.key))
        var isKnown = Set(known.keys)
        var run: [Event] = []
        for event in events {
            let isFounded = event.prevEvents.allSatisfy(here.contains) && event.authEvents.allSatisfy(isKnown.contains)
            if isFounded {
                run.append(event)
            } else {
                try await receive(&run, in: room)
                try await takeOrLog(event, in: room, from: server)
            }
            here.insert(event.id)
            isKnown.insert(event.id)
        }
        try await receive(&run, in: room)
    }

    /// Hands a run of events over together: the room makes one batch of them.
    private func receive(_ run: inout [Event], in room: Room) async throws {
        for (event, receipt) in zip(run, await room.receive(run.map { RemoteEvent($0) })) {
            do {
                note(try receipt.get(), of: event)
            } catch let error as MissingFoundation {
                note(error, of: event)
            }
        }
        run.removeAll()
    }

    private func takeOrLog(_ event: Event, in room: Room, from server: ServerName) async throws {
        do {
            _ = try await takeOne(RemoteEvent(event), in: room, from: server)
        } catch let error as MissingFoundation {
            note(error, of: event)
        } catch let error as FederationFailure {
            note(error, of: event)
            if error.isPassing { try await late.add(LateEvent(event: event, room: room, server: server)) }
        }
    }

    private func note(_ receipt: Receipt, of event: Event) {
        guard let refusal = receipt.refusal else { return }
        logger.info("an event was not let in", metadata: ["event": "\(event.id)", "room": "\(event.roomID)", "reason": "\(refusal)"])
    }

    private func note(_ failure: any Error, of event: Event) {
        logger.info("an event is left out", metadata: ["event": "\(event.id)", "room": "\(event.roomID)", "error": "\(failure)"])
    }

    // MARK: One event

    /// Which events before one that comes in are asked for.
    private enum Gap {
        /// As many as come soon.
        case wide
        /// The newest of them.
        case narrow
        /// None. Of events in a gap no others are asked for: a gap is closed once.
        case none
    }

    private func takeOne(_ remote: RemoteEvent, in room: Room, from server: ServerName, closing gap: Gap = .wide) async throws -> Receipt {
        let event = remote.event
        var remote = remote
        var known = try await standings(event.prevEvents + event.authEvents + [event.id])
        if known[event.id]?.isInGraph == true { return .known }
        if gap != .none, remote.path != .past, event.prevEvents.contains(where: { known[$0]?.isInGraph != true }) {
            try await closeGap(gap, before: event, in: room, from: server)
            known = try await standings(event.prevEvents + event.authEvents)
            // Who sends an event has those before it. A state that only the sender vouches for could become that of the whole room.
            let missing = event.prevEvents.filter { known[$0]?.isInGraph != true }
            guard missing.isEmpty else { throw MissingFoundation(event: event.id, missing: missing) }
        }
        // Of a room with partial state it is enough to know what it was at the join. When it is whole, all is placed again.
        let isPartial = room.current.isPartial
        if remote.stateBefore == nil, !isPartial {
            for id in event.prevEvents where known[id]?.isInGraph != true && remote.statesAfterMissing[id] == nil {
                remote.statesAfterMissing[id] = try await state(after: id, in: room, from: server)
            }
        }
        // With the states their events have come; the rest is asked for.
        if event.authEvents.contains(where: { known[$0] == nil }) {
            try await fetchAuthChain(of: event, in: room, from: server)
        }
        do {
            let receipt = try await room.receive(remote)
            note(receipt, of: event)
            return receipt
        } catch let error as MissingFoundation {
            // Where the room has become whole meanwhile, its states count.
            guard isPartial, !room.current.isPartial else { throw error }
            return try await takeOne(remote, in: room, from: server, closing: gap)
        }
    }

    /// Fetches the events between what is here and `event`, and brings them in. What is still missing then stays so.
    ///
    /// - Throws: where no server answers that might.
    private func closeGap(_ gap: Gap, before event: Event, in room: Room, from server: ServerName) async throws {
        let list: [JSON]
        do {
            list = try await ask(server, in: room) { server throws(FederationFailure) in
                try await client.missingEvents(
                    in: room.id, after: room.forwardExtremities, before: [event.id], limit: Self.gapLimit, from: server)
            }
        } catch {
            guard !error.isPassing else { throw error }
            logger.info("a gap stays open", metadata: ["room": "\(room.id)", "server": "\(server)", "error": "\(error)"])
            return
        }
        var events = try await verifier.verified(Array(list.prefix(Self.gapLimit)), version: room.version, in: room.id)
        if gap == .wide { try await addOlder(to: &events, in: room, from: server) }
        for earlier in events.sorted(by: { $0.isBefore($1) }) where earlier.id != event.id {
            do {
                _ = try await takeOne(RemoteEvent(earlier), in: room, from: server, closing: .none)
            } catch let error as FederationFailure {
                guard !error.isPassing else { throw error }
                note(error, of: earlier)
            } catch let error as MissingFoundation {
                note(error, of: earlier)
            }
        }
    }

    /// Adds the events before those of a gap, as far as they are not here and come soon.
    private func addOlder(to events: inout [Event], in room: Room, from server: ServerName) async throws {
        var inside = Set(events.map(\.id))
        for _ in 0..<Self.olderParts {
            let previous = Set(events.flatMap(\.prevEvents)).subtracting(inside)
            let known = try await standings(Array(previous))
            let missing = previous.filter { known[$0]?.isInGraph != true }
            guard !missing.isEmpty, !room.current.isPartial else { return }
            let list: [JSON]
            do {
                list = try await client.backfill(room.id, from: Array(missing.prefix(Self.startLimit)), limit: Self.olderLimit, at: server)
            } catch {
                guard !error.isPassing else { throw error }
                logger.info("a gap stays open", metadata: ["room": "\(room.id)", "server": "\(server)", "error": "\(error)"])
                return
            }
            let older = try await verifier.verified(Array(list.prefix(Self.olderLimit)), version: room.version, in: room.id)
            let here = try await standings(older.map(\.id))
            let new = older.filter { here[$0.id]?.isInGraph != true && inside.insert($0.id).inserted }
            guard !new.isEmpty else { return }
            events += new
        }
    }

    private func fetchAuthChain(of event: Event, in room: Room, from server: ServerName) async throws {
        guard try await standings(event.authEvents).count < Set(event.authEvents).count else { return }
        let chain = try await ask(server, in: room) { server throws(FederationFailure) in
            try await client.authChain(of: event.id, in: room.id, from: server)
        }
        try await room.storeOutliers(verifier.verified(chain, version: room.version, in: room.id))
    }

    /// Asks the server that told of an event, and while it does not answer, others that are in the room.
    func ask<Answer: Sendable>(
        _ first: ServerName, in room: Room, _ question: (ServerName) async throws(FederationFailure) -> Answer
    ) async throws(FederationFailure) -> Answer {
        do {
            return try await question(first)
        } catch {
            guard error.isPassing else { throw error }
            let others = room.current.servers(limit: Self.otherLimit + 2).filter { $0 != first && $0 != client.serverName }
            for server in others.prefix(Self.otherLimit) {
                do { return try await question(server) } catch { continue }
            }
            throw error
        }
    }

    // MARK: States

    /// Makes sure that what events of the past are authorized by is here: in a room with partial state that is mostly not so.
    private func fetchAuthEvents(of events: [Event], in room: Room, from server: ServerName) async throws {
        let cited = Set(events.flatMap(\.authEvents)).subtracting(events.map(\.id))
        let missing = cited.subtracting(try await standings(Array(cited)).keys)
        if !missing.isEmpty { try await room.storeOutliers(fetch(missing, in: room, from: server)) }
    }

    /// A state by its entries: of two events for one entry the later one of the list counts.
    func stateByKey(_ ids: [EventID], in room: Room) async throws -> [StateKey: EventID] {
        let rows = try await database.read { try EventStore.stateKeys(of: ids, in: room.nid, on: $0) }
        let keys = Dictionary(rows.map { ($0.id, $0.key) }) { first, _ in first }
        var state: [StateKey: EventID] = [:]
        for id in ids { if let key = keys[id] { state[key] = id } }
        return state
    }

    func fetch(_ ids: Set<EventID>, in room: Room, from server: ServerName) async throws -> [Event] {
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

    /// The states at which a part of the past begins: those after the previous events of its events that are not here and not among them.
    private func statesBeforePast(_ events: [Event], in room: Room, from server: ServerName) async throws -> [EventID: [EventID]] {
        let previous = Set(events.flatMap(\.prevEvents)).subtracting(events.map(\.id))
        let known = try await standings(Array(previous))
        // Oldest first; what begins later may begin with what an older branch began with.
        let missing = events.flatMap(\.prevEvents).filter { previous.contains($0) && known[$0]?.isInGraph != true }
        var states: [EventID: [EventID]] = [:]
        for id in missing where states[id] == nil {
            if states.count < Self.branchLimit {
                states[id] = try await state(after: id, in: room, from: server)
            } else {
                states[id] = missing.first.flatMap { states[$0] }
            }
        }
        return states
    }

    func standings(_ ids: [EventID]) async throws -> [EventID: EventStanding] {
        guard !ids.isEmpty else { return [:] }
        return try await database.read { try EventStore.standings(Set(ids), on: $0) }
    }
}

// MARK: What comes too early

extension EventIntake: Service {
    /// Tries again to bring in what could not be, until the server stops.
    package func run() async throws {
        await late.run { [self] late in
            // Of a room that this server has left nothing more is wanted.
            guard late.room.current.isJoined(by: client.serverName) else { return true }
            do {
                try await queues.run(Lane(room: late.room.id, server: late.server)) {
                    // What has failed may have been to ask for much.
                    _ = try await takeOne(RemoteEvent(late.event), in: late.room, from: late.server, closing: .narrow)
                }
                return true
            } catch let error as FederationFailure {
                return !error.isPassing
            } catch {
                note(error, of: late.event)
                return error is MissingFoundation
            }
        }
    }
}

extension Event {
    /// An order in which events of one answer can be brought in.
    package func isBefore(_ other: Event) -> Bool {
        (depth, originServerTimestamp.milliseconds) < (other.depth, other.originServerTimestamp.milliseconds)
    }
}
