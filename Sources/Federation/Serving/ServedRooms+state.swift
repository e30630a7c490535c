// The state of a room before an event, and the events that authorize others. Server-Server API §Retrieving events,
// §Authorization of events in the auth chain.

import MatrixCore
import Persistence
import Rooms

extension ServedRooms {
    /// How many events are in memory at once, beside the answer.
    static let batchSize = 500

    /// `/state`: the state before an event, and its auth chain, as a JSON object.
    ///
    /// - Throws: `M_NOT_FOUND` for an event that is not there, was rejected, or of which the state is not known.
    package func state(before id: EventID, in room: ServedRoom) async throws -> [UInt8] {
        let numbers = try await stateNumbers(before: id, in: room)
        var body = JSONWriter(capacity: 1024 + numbers.count * 800)
        var chain = AuthChain(room.snapshot)
        body.beginObject()
        body.beginArray("pdus")
        for batch in numbers.chunked(Self.batchSize) {
            for row in try await database.read({ try PDUStore.rows(batch, on: $0) }) where !row.flags.contains(.rejected) {
                body.raw(row.json)
                try chain.follow(row)
            }
        }
        body.endArray()
        try await write(&chain, as: "auth_chain", to: &body)
        body.close()
        return body.bytes
    }

    /// `/state_ids`: the same by event IDs.
    package func stateIDs(before id: EventID, in room: ServedRoom) async throws -> [UInt8] {
        let numbers = try await stateNumbers(before: id, in: room)
        var body = JSONWriter(capacity: 1024 + numbers.count * 50)
        var chain = AuthChain(room.snapshot)
        body.beginObject()
        body.beginArray("pdu_ids")
        for batch in numbers.chunked(Self.batchSize) {
            for row in try await database.read({ try PDUStore.rows(batch, on: $0) }) {
                body.string(row.id.string)
                try chain.follow(row)
            }
        }
        body.endArray()
        body.beginArray("auth_chain_ids")
        while let batch = chain.next(Self.batchSize) {
            for row in try await read(batch, in: room.snapshot.nid) {
                body.string(row.id.string)
                try chain.follow(row)
            }
        }
        body.endArray()
        body.close()
        return body.bytes
    }

    /// `/event_auth`: the events that authorize an event, those that authorize them, and so on.
    ///
    /// - Throws: `M_NOT_FOUND` for an event that is not there or was rejected.
    package func authChain(of id: EventID, in room: ServedRoom) async throws -> [UInt8] {
        let event = try await event(id, in: room)
        var body = JSONWriter(capacity: 8192)
        var chain = AuthChain(room.snapshot)
        try chain.follow(event)
        body.beginObject()
        try await write(&chain, as: "auth_chain", to: &body)
        body.close()
        return body.bytes
    }

    // MARK: Steps

    /// An event of the room that was not rejected.
    private func event(_ id: EventID, in room: ServedRoom) async throws -> PDURow {
        guard let row = try await read([id], in: room.snapshot.nid).first, !row.flags.contains(.rejected) else {
            throw MatrixError.notFound("Could not find event \(id)")
        }
        return row
    }

    /// The numbers of the events that are the state before an event.
    func stateNumbers(before id: EventID, in room: ServedRoom) async throws -> [EventNID] {
        guard !room.snapshot.isPartial else {
            throw MatrixError(
                status: 403, errcode: "M_UNABLE_DUE_TO_PARTIAL_STATE", message: "This server does not know all of the room's state yet")
        }
        let row = try await event(id, in: room)
        guard !row.isOutlier else { throw MatrixError.notFound("State not known at event \(id)") }
        guard row.snapshot != .empty else { return [] }
        return try await database.read { try StateLayers([row.snapshot], on: $0).events(at: row.snapshot) }
    }

    /// Writes the events of a chain, which grows meanwhile.
    func write(_ chain: inout AuthChain, as key: String, to body: inout JSONWriter) async throws {
        body.beginArray(key)
        while let batch = chain.next(Self.batchSize) {
            for row in try await read(batch, in: chain.room) {
                try chain.follow(row)
                if !row.flags.contains(.rejected) { body.raw(row.json) }
            }
        }
        body.endArray()
    }

    private func read(_ ids: [EventID], in room: RoomNID) async throws -> [PDURow] {
        try await database.read { try PDUStore.rows(ids, in: room, on: $0) }
    }
}

/// The walk from events to those that authorize them, each once.
struct AuthChain: Sendable {
    let room: RoomNID
    private let version: RoomVersion
    private let create: EventID
    private var seen: Set<EventID> = []
    private var waiting: [EventID] = []

    init(_ room: RoomSnapshot) {
        self.room = room.nid
        version = room.version
        create = room.createEvent.id
    }

    /// Goes on to the events that authorize this one.
    mutating func follow(_ row: PDURow) throws {
        for id in try PDULinks.authEvents(of: row.json, version: version) { add(id) }
        // The room's ID names the create event, so that no event does.
        if version.createEventDecidesRoomID, row.id != create { add(create) }
    }

    /// Some of the events that were not visited; nil when none is left.
    mutating func next(_ limit: Int) -> [EventID]? {
        guard !waiting.isEmpty else { return nil }
        let batch = Array(waiting.suffix(limit))
        waiting.removeLast(batch.count)
        return batch
    }

    mutating func add(_ id: EventID) {
        if seen.insert(id).inserted { waiting.append(id) }
    }
}

extension Array {
    /// The elements in runs of at most `size`.
    func chunked(_ size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
