// Deleting messages for good.

import MatrixCore
import Persistence

/// Takes messages out of the database and out of memory. State stays, and the newest event of a room.
package struct MessagePurge: Sendable {
    private let database: any Database
    private let events: EventCache

    /// How many go in one transaction: others want to write as well.
    private static let batchLimit = 200

    package init(environment: RoomEnvironment) {
        database = environment.database
        events = environment.events
    }

    /// Deletes the messages of a room that were sent before `time`.
    ///
    /// - Returns: how many they were.
    @discardableResult
    package func purge(_ room: RoomNID, sentBefore time: Timestamp) async throws -> Int {
        var count = 0
        while !Task.isCancelled {
            let found = try await database.write { connection in
                let found = try RetentionStore.messages(in: room, sentBefore: time, limit: Self.batchLimit, on: connection)
                try RetentionStore.delete(found, in: room, on: connection)
                return found
            }
            for event in found { events.didRedact(event) }
            count += found.count
            if found.count < Self.batchLimit { break }
        }
        return count
    }

    /// Takes the content of messages away that have named a time for that, as a redaction would.
    ///
    /// - Returns: the messages, and when the next one is due.
    package func expire(by time: Timestamp) async throws -> (events: [RetentionStore.Expired], next: Timestamp?) {
        let (expired, next) = try await database.write { connection in
            let expired = try RetentionStore.expired(by: time, limit: Self.batchLimit, on: connection)
            for event in expired { try RetentionStore.expire(event.nid, leaving: Self.remains(of: event), on: connection) }
            return (expired, try RetentionStore.nextExpiry(on: connection))
        }
        for event in expired { events.didRedact(event.nid) }
        return (expired, next)
    }

    /// nil where nothing is to be taken away, or what is stored cannot be read.
    private static func remains(of event: RetentionStore.Expired) -> [UInt8]? {
        guard !event.isRedacted, let version = RoomVersion.named(event.version),
            let document = try? JSONDocument(parsing: event.json, limits: .lenientEvent)
        else { return nil }
        return Redaction.redact(document.root, rules: version.redactionRules)
    }
}
