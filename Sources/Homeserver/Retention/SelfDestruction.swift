// Messages that name the time at which their content goes: `org.matrix.self_destruct_after`, as Synapse has them (`enable_ephemeral_messages`).

import Logging
import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle

/// Notes such messages as they come, and takes their content away when their time has come, also over restarts.
package final class SelfDestruction: Sendable {
    private let database: any Database
    private let purge: MessagePurge
    private let sync: SyncEngine
    private let logger: Logger
    private let alarm = Alarm()

    package init(rooms: RoomRegistry, sync: SyncEngine, logger: Logger) {
        database = rooms.environment.database
        purge = MessagePurge(environment: rooms.environment)
        self.sync = sync
        self.logger = logger
    }

    /// Notes messages with their times; ones that are noted already stay as they are.
    fileprivate func note(_ messages: [(event: EventNID, time: Timestamp)]) async throws {
        try await database.write { connection in
            for (event, time) in messages { try RetentionStore.insertExpiry(event, at: time, on: connection) }
        }
        alarm.ring()
    }

    /// Takes away what is due.
    ///
    /// - Returns: when to look again; nil where nothing waits.
    package func expire(by time: Timestamp = .now) async throws -> Timestamp? {
        let (expired, next) = try await purge.expire(by: time)
        for room in Set(expired.map(\.room)) { sync.forgetTimeline(of: room) }
        return next
    }
}

extension SelfDestruction: Service {
    package func run() async throws {
        await alarm.run {
            try await expire()
        } onFailure: { error in
            logger.error("messages whose time is over could not be emptied, trying again", metadata: ["error": "\(error)"])
        }
    }
}

/// Notes the messages that name a time.
package struct SelfDestructionNotes: CommitHandler {
    package let name = "self_destruction"
    private let service: SelfDestruction

    private static let property = "org.matrix.self_destruct_after"

    package init(_ service: SelfDestruction) { self.service = service }

    package func begin(newest: StreamPosition) async throws -> StreamPosition { newest }

    package func concerns(_ change: Change) -> Bool { change.event.map { !$0.isState } ?? false }

    package func take(_ commits: [Commit]) async throws -> CommitOutcome {
        let found = commits.events.compactMap { event -> (event: EventNID, time: Timestamp)? in
            guard !event.isState, let time = event.contentIfReadable?[Self.property]?.int else { return nil }
            return (event.nid, Timestamp(milliseconds: time))
        }
        if !found.isEmpty { try await service.note(found) }
        return .nothing
    }
}
