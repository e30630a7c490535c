// A room that comes in as a whole: what another server answers when one of our users joins by it. Server-Server API §Joining Rooms.

import MatrixCore
import Persistence

/// A room at the moment in which a user of this server joins it. Everything in it has been checked.
package struct RoomHandover: Sendable {
    package let join: Event
    /// The room's state before the join.
    package let state: [Event]
    /// What the state and the join are authorized by, as far as it is not in the state.
    package let authChain: [Event]
    /// Members are missing in the state; nil: it is whole.
    package let omission: Omission?

    /// What is known of the members that were left out.
    package struct Omission: Sendable {
        /// The servers that were in the room before the join.
        package let servers: [ServerName]
        /// The server that hands the room over.
        package let source: ServerName

        package init(servers: [ServerName], source: ServerName) {
            self.servers = servers
            self.source = source
        }
    }

    package init(join: Event, state: [Event], authChain: [Event], omission: Omission? = nil) {
        self.join = join
        self.state = state
        self.authChain = authChain
        self.omission = omission
    }
}

/// A handover that lacks what every room has.
package struct HandoverIncomplete: Error, Sendable, CustomStringConvertible {
    package let room: RoomID
    package var description: String { "what was handed over of \(room) has no create event" }
}

extension RoomRegistry {
    /// Makes a room one of this server's. One that it was in before, and has left, begins anew with what is handed over; its past stays.
    ///
    /// The caller sees to it that no other handover of the room is under way.
    @discardableResult
    package func takeOver(_ handover: RoomHandover) async throws -> Room {
        let id = handover.join.roomID
        if let room = try await room(id) {
            let environment = environment
            try await room.alone {
                let former = RoomIntake.Former(snapshot: room.current, gap: try await room.gap(before: handover.join))
                let batch = try await RoomIntake(environment: environment, handover: handover, former: former).batch(of: room.nid)
                try await environment.journal.append(
                    batch.journalBatch { head in
                        if former.gap.floor > .zero { environment.gaps.open(former.gap.floor, in: room.nid) }
                        environment.partialRooms.set(handover.omission.map { _ in .partial }, of: room.nid)
                        room.replaceHead(head)
                    })
            }
            return room
        }
        let known = try await environment.database.read { try RoomStore.room(id, on: $0) }
        let nid = known?.nid ?? RoomNID(environment.sequences.next(.rooms))
        let batch = try await RoomIntake(environment: environment, handover: handover, former: nil).batch(of: nid)
        let (version, creator) = (batch.head.snapshot.version, batch.head.snapshot.createEvent.sender)
        let room = Room(head: batch.head, environment: environment)
        try await environment.journal.append(
            batch.journalBatch(
                alongside: { connection in
                    guard known == nil else { return }
                    try RoomStore.insert(nid: nid, id: id, version: version.id, creator: creator, published: false, on: connection)
                },
                committed: { [self] head in
                    if handover.omission != nil { environment.partialRooms.set(.partial, of: nid) }
                    room.replaceHead(head)
                    adopt(room)
                }))
        return room
    }
}

/// Turns a handover into rows.
private struct RoomIntake {
    /// The room as it was when this server left it, and what has happened since.
    struct Former {
        let snapshot: RoomSnapshot
        let gap: Gap
    }

    struct Gap {
        let floor: StreamPosition
        let missing: [EventID]
    }

    let environment: RoomEnvironment
    let handover: RoomHandover
    /// nil: the room has never been here.
    let former: Former?

    func batch(of nid: RoomNID) async throws -> RoomBatch {
        guard let create = handover.state.first(where: { $0.key == .create }) else { throw HandoverIncomplete(room: handover.join.roomID) }
        let join = handover.join
        // In the order in which they came about: the oldest members have the lowest numbers.
        let events = (handover.state + handover.authChain).sorted {
            ($0.depth, $0.originServerTimestamp.milliseconds) < ($1.depth, $1.originServerTimestamp.milliseconds)
        }
        let numbers = try await numbers(of: events)
        let keys = try await keyNumbers()

        var batch = RoomBatch(
            head: RoomHead(roomID: join.roomID, nid: nid, version: join.version, create: create), environment: environment)
        for key in keys.keys { batch.material.keys[key] = .some(keys[key]) }
        batch.newKeys = Set(keys.keys)
        let state = try StateDelta(
            handover.state.map { event in
                guard let key = event.key, let number = keys[key], let nid = numbers.all[event.id] else { throw MatrixError.internalError }
                batch.head.place(event, as: nid, key: key, number: number)
                return StateDelta.Pair(key: number, event: nid)
            })
        let snapshot = SnapshotID(environment.sequences.next(.snapshots))
        batch.stateRows.append(try batch.head.layering.push(state, as: snapshot))
        batch.head.snapshot.snapshotID = snapshot
        let others = (handover.omission?.servers ?? []).filter { $0 != environment.serverName }
        if handover.omission != nil { batch.head.snapshot.lackMembers(PartialState(foundation: snapshot, servers: Set(others))) }

        let outliers = events.filter { numbers.new.contains($0.id) }
        let (missing, floor) = (former?.gap.missing ?? join.prevEvents, former?.gap.floor ?? .zero)
        batch.rows.append { connection in
            try PartialRoomStore.delete(nid, on: connection)
            try StateStore.deleteCurrent(in: nid, on: connection)
            for pair in state.pairs {
                if let event = pair.event { try StateStore.insertCurrent(pair.key, event: event, in: nid, on: connection) }
            }
            for event in outliers { try EventStore.insertOutlier(event, room: nid, numbers: numbers.all, on: connection) }
            for id in missing { try MissingEventStore.insert(id, in: nid, depth: join.depth, floor: floor, on: connection) }
        }
        _ = try batch.record(
            join, key: join.key, replacing: try await replaced(numbers.all), redaction: nil,
            citing: join.authEvents.compactMap { numbers.all[$0] }, from: EventOrigin(user: join.sender))
        if let source = handover.omission?.source, let joinNID = batch.built[join.id]?.nid {
            batch.rows.append { try PartialRoomStore.insert(nid, join: joinNID, via: source, servers: others, on: $0) }
        }
        return batch
    }

    /// What the join takes the place of. A room that this server has left goes on with the leaving here, even where the server that hands it
    /// over has not heard of that yet and takes the user for a member all the while.
    private func replaced(_ numbers: [EventID: EventNID]) async throws -> (nid: EventNID, event: Event)? {
        let join = handover.join
        guard let key = join.key else { return nil }
        if let entry = former?.snapshot.entry(key),
            let row = try await environment.database.read({ try EventStore.rows([entry.nid], on: $0) }).first
        {
            return (row.nid, try Event(trusted: row.json, id: row.id, version: join.version))
        }
        guard let event = handover.state.first(where: { $0.key == key }), let nid = numbers[event.id] else { return nil }
        return (nid, event)
    }

    /// The numbers of events, and which of them are new here.
    private func numbers(of events: [Event]) async throws -> (all: [EventID: EventNID], new: Set<EventID>) {
        let ids = events.map(\.id)
        let known = try await environment.database.read { try EventStore.standings(ids, on: $0) }
        var all: [EventID: EventNID] = [:]
        var new: Set<EventID> = []
        for id in ids where all[id] == nil {
            if let standing = known[id] {
                all[id] = standing.nid
            } else {
                all[id] = EventNID(environment.sequences.next(.events))
                new.insert(id)
            }
        }
        return (all, new)
    }

    private func keyNumbers() async throws -> [StateKey: StateKeyNID] {
        let keys = Set((handover.state + [handover.join]).compactMap(\.key))
        var numbers = try await environment.stateKeys.find(keys)
        for key in keys where numbers[key] == nil { numbers[key] = environment.stateKeys.number(ofNew: key) }
        return numbers
    }
}

extension Room {
    /// Leaves room in the timeline of a room that this server comes back to for what happened meanwhile.
    fileprivate nonisolated func gap(before join: Event) async throws -> RoomIntake.Gap {
        let (nid, previous) = (nid, join.prevEvents)
        let known = try await environment.database.read { try EventStore.standings(previous, on: $0) }
        let missing = previous.filter { known[$0]?.isInGraph != true || known[$0]?.room != nid }
        let floor = missing.isEmpty ? .zero : try await environment.journal.leaveGap(of: TimelineGaps.width)
        return RoomIntake.Gap(floor: floor, missing: missing)
    }
}

extension RoomHead {
    /// Puts an event into the state of a room that comes in as a whole.
    fileprivate mutating func place(_ event: Event, as nid: EventNID, key: StateKey, number: StateKeyNID) {
        snapshot.set(StateEntry(nid: nid, id: event.id, membership: event.membership, position: .start, key: number), for: key)
        snapshot.interpret(event)
    }
}
