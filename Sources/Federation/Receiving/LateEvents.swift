// Events that could not be brought in because no server would say what they stand on. Server-Server API §Backfilling and retrieving
// missing events.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle
import Synchronization

/// An event whose server has fallen silent before it said what comes before the event.
package struct LateEvent: Sendable {
    package let event: Event
    package let room: Room
    /// Who told of it.
    package let server: ServerName

    package init(event: Event, room: Room, server: ServerName) {
        self.event = event
        self.room = room
        self.server = server
    }
}

/// More events wait than may. Whoever has sent another one keeps it, and sends it again.
package struct TooManyLateEvents: Error, Sendable, CustomStringConvertible {
    package var description: String { "too many events wait for what they stand on" }
}

/// Has events tried again, so that in a room in which nothing more is said the last word is not lost.
///
/// Their servers have been told that they have arrived, and will not send them again: so they are in the database before that is said,
/// and stay there until they are brought in, refused, or given up. What follows what is here already never comes to this place.
package final class LateEvents: Sendable {
    /// The events of one room that one server has told of: these are tried one after the other.
    private struct Lane: Hashable {
        let room: RoomID
        let server: ServerName
    }

    package struct Limits: Sendable {
        /// How many events of a lane are kept though others of them follow them: what is before an event comes with it.
        var lane = 50
        /// How many events of one server, and how many over all.
        var server = 500
        var all = 5000
        /// The pauses before each attempt; the last one is repeated.
        var pauses: [Duration] = [.seconds(1), .seconds(5), .seconds(30), .seconds(120), .seconds(600), .seconds(3600)]
        /// After which time an event is given up.
        var patience: Duration = .seconds(7 * 24 * 3600)

        package init() {}

        package init(lane: Int, server: Int, all: Int, pauses: [Duration], patience: Duration = .seconds(3600)) {
            self.lane = lane
            self.server = server
            self.all = all
            self.pauses = pauses
            self.patience = patience
        }
    }

    private let database: any Database
    private let rooms: RoomRegistry
    private let limits: Limits
    private let logger: Logger
    /// The lanes that are worked at, and whether something has come to them since it was looked last.
    private let active = Mutex<[Lane: Bool]>([:])
    private let lanes: AsyncStream<Lane>
    private let continuation: AsyncStream<Lane>.Continuation

    package init(database: any Database, rooms: RoomRegistry, limits: Limits = Limits(), logger: Logger) {
        self.database = database
        self.rooms = rooms
        self.limits = limits
        self.logger = logger
        (lanes, continuation) = AsyncStream.makeStream()
    }

    /// Keeps an event: it is durable when this returns.
    ///
    /// - Throws: `TooManyLateEvents`, `DatabaseError`: then it is not kept.
    package func add(_ late: LateEvent) async throws {
        let event = late.event
        let row = LateEventRow(
            id: event.id, room: event.roomID, origin: late.server, depth: event.depth, received: .now, json: event.json)
        let (limits, version) = (limits, late.room.version)
        try await database.write { connection in
            try LateEventStore.insert(row, on: connection)
            try Self.prune(row, limits, version, on: connection)
            let counts = try LateEventStore.counts(from: row.origin, on: connection)
            guard counts.own <= limits.server, counts.all <= limits.all else { throw TooManyLateEvents() }
        }
        begin(Lane(room: event.roomID, server: late.server))
    }

    /// Has each event tried after the pauses until `attempt` says that it is done with, and no longer than the server runs.
    package func run(_ attempt: @escaping @Sendable (LateEvent) async -> Bool) async {
        await cancelWhenGracefulShutdown { [self] in
            await resume()
            await withDiscardingTaskGroup { group in
                for await lane in lanes { group.addTask { [self] in await insist(on: lane, attempt) } }
                group.cancelAll()
            }
        }
    }

    // MARK: Keeping

    /// Of many events of a lane those are forgotten that others of them follow.
    private static func prune(_ row: LateEventRow, _ limits: Limits, _ version: RoomVersion, on connection: any SQLConnection) throws {
        let waiting = try LateEventStore.events(of: row.room, from: row.origin, limit: limits.lane + 1, on: connection)
        guard waiting.count > limits.lane else { return }
        let followed = try waiting.flatMap { try Event(trusted: $0.json, id: $0.id, version: version).prevEvents }
        try LateEventStore.delete(Array(Set(followed).intersection(waiting.map(\.id))), of: row.room, on: connection)
    }

    private func begin(_ lane: Lane) {
        let isNew = active.withLock { active in
            defer { active[lane] = active[lane] != nil }
            return active[lane] == nil
        }
        if isNew { continuation.yield(lane) }
    }

    /// Takes up what a former run has left.
    private func resume() async {
        while !Task.isCancelled {
            do {
                for (room, origin) in try await database.read({ try LateEventStore.lanes(on: $0) }) {
                    begin(Lane(room: room, server: origin))
                }
                return
            } catch {
                logger.warning("the database does not tell which events are late", metadata: ["error": "\(error)"])
                do { try await Task.sleep(for: .seconds(5)) } catch { return }
            }
        }
    }

    // MARK: Trying

    private func insist(on lane: Lane, _ attempt: @Sendable (LateEvent) async -> Bool) async {
        var attempts = 0
        while true {
            let pause = limits.pauses[min(attempts, limits.pauses.count - 1)]
            do { try await Task.sleep(for: pause) } catch { return }
            attempts += 1
            active.withLock { $0[lane] = false }
            do {
                guard try await tryAll(of: lane, attempt) else { continue }
            } catch {
                logger.warning("late events cannot be tried", metadata: ["room": "\(lane.room)", "error": "\(error)"])
                continue
            }
            if isFinished(lane) { return }
            attempts = 0
        }
    }

    /// Whether nothing has come to the lane meanwhile. Then nobody works at it any more.
    private func isFinished(_ lane: Lane) -> Bool {
        active.withLock { active in
            guard active[lane] == false else { return false }
            active[lane] = nil
            return true
        }
    }

    /// Tries the events of a lane in their order, until one of them has to wait: those after it would wait for the same.
    ///
    /// - Returns: whether none is left.
    private func tryAll(of lane: Lane, _ attempt: @Sendable (LateEvent) async -> Bool) async throws -> Bool {
        let limit = limits.lane
        while true {
            let rows = try await database.read { connection in
                try LateEventStore.events(of: lane.room, from: lane.server, limit: limit, on: connection)
            }
            guard !rows.isEmpty else { return true }
            let room = try await rooms.room(lane.room)
            for row in rows {
                if let room, !isTooOld(row) {
                    let event = try Event(trusted: row.json, id: row.id, version: room.version)
                    guard await attempt(LateEvent(event: event, room: room, server: lane.server)) else { return false }
                }
                try await database.write { try LateEventStore.delete([row.id], of: lane.room, on: $0) }
            }
        }
    }

    private func isTooOld(_ row: LateEventRow) -> Bool {
        guard Timestamp.now.milliseconds(since: row.received) > limits.patience.milliseconds else { return false }
        logger.info("an event is given up", metadata: ["event": "\(row.id)", "room": "\(row.room)", "server": "\(row.origin)"])
        return true
    }
}
