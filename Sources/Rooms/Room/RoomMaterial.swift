// What a batch needs from the database before it can build its events.

import MatrixCore
import Persistence

/// Numbers and events that were fetched for a batch.
struct RoomMaterial: Sendable {
    /// The numbers of state keys; `.some(nil)` when the database has none.
    var keys: [StateKey: StateKeyNID?] = [:]
    /// Current state events that a command replaces.
    var events: [EventNID: Event] = [:]
    /// What redactions name; `.some(nil)` when there is no such event.
    var redacted: [EventID: RedactionTarget?] = [:]
    /// The hashes by which events of room versions 1 and 2 name others; empty in later versions.
    var referenceHashes: ReferenceHashes = [:]
    /// What new events relate to.
    var parents: [EventID: RelationParent] = [:]
    /// Whether an annotation is there already.
    var annotations: [AnnotationKey: Bool] = [:]
    /// How the server stands to received events; `.some(nil)` where it does not have one.
    var standings: [EventID: EventStanding?] = [:]
    /// Whether redactions of a received event were here before it.
    var waitingRedactions: [EventID: Bool] = [:]
    /// Those redactions themselves.
    var redactionsBefore: [EventID: [RedactionTarget]] = [:]
}

/// An event that a redaction names.
struct RedactionTarget: Sendable {
    let nid: EventNID
    let roomNID: RoomNID
    let event: Event
    let isRedacted: Bool
}

/// Thrown while building: fetch this and build again. Building has no side effects, so it can be repeated.
struct MissingMaterial: Error, Sendable, Equatable {
    var keys: [StateKey] = []
    var events: [EventNID] = []
    var redacted: [EventID] = []
    var referenceHashes: [EventID] = []
    var parents: [RelationTarget] = []
    var annotations: [AnnotationKey] = []
    var standings: [EventID] = []
    var waitingRedactions: [EventID] = []
    var redactionsBefore: [EventID] = []
}

extension RoomMaterial {
    /// Fetches what is missing.
    mutating func fetch(_ missing: MissingMaterial, version: RoomVersion, from environment: RoomEnvironment) async throws {
        if !missing.keys.isEmpty {
            let found = try await environment.stateKeys.find(missing.keys)
            for key in missing.keys { keys[key] = .some(found[key]) }
        }
        if !missing.events.isEmpty {
            let rows = try await environment.database.read { try EventStore.rows(missing.events, on: $0) }
            for row in rows { events[row.nid] = try Event(trusted: row.json, id: row.id, version: version) }
        }
        for id in missing.redacted {
            let row = try await environment.database.read { try EventStore.row(id, on: $0) }
            let target: RedactionTarget? = try row.map { row in
                RedactionTarget(
                    nid: row.nid, roomNID: row.roomNID,
                    event: try Event(trusted: row.json, id: row.id, version: RoomVersion.named(row.roomVersion) ?? version),
                    isRedacted: row.redaction != nil)
            }
            // That there is none is known from now on; a bare nil would forget the question, and it would be asked for ever.
            redacted[id] = .some(target)
        }
        if !missing.standings.isEmpty {
            let found = try await environment.database.read { try EventStore.standings(missing.standings, on: $0) }
            for id in missing.standings { standings[id] = .some(found[id]) }
        }
        if !missing.waitingRedactions.isEmpty {
            let found = try await environment.database.read { try PendingRedactionStore.redactions(of: missing.waitingRedactions, on: $0) }
            for id in missing.waitingRedactions { waitingRedactions[id] = found[id]?.isEmpty == false }
        }
        for id in missing.redactionsBefore {
            let rows = try await environment.database.read { connection in
                try EventStore.rows(PendingRedactionStore.redactions(of: [id], on: connection)[id] ?? [], on: connection)
            }
            redactionsBefore[id] = try rows.filter { $0.flags.isEmpty }.sorted { $0.nid < $1.nid }.map { row in
                RedactionTarget(
                    nid: row.nid, roomNID: row.roomNID, event: try Event(trusted: row.json, id: row.id, version: version),
                    isRedacted: row.redaction != nil)
            }
        }
        for id in missing.referenceHashes {
            guard let row = try await environment.database.read({ try EventStore.row(id, on: $0) }) else {
                throw MatrixError.internalError
            }
            referenceHashes[id] = try Event(trusted: row.json, id: row.id, version: version).referenceHash()
        }
        for target in missing.parents {
            parents[target.id] = try await environment.database.read { try RelationParent.load(target.id, in: target.room, on: $0) }
        }
        for key in missing.annotations {
            annotations[key] = try await environment.database.read { connection in
                try RelationStore.isAnnotated(key.parent, in: key.room, by: key.sender, number: key.number, on: connection)
            }
        }
    }
}
