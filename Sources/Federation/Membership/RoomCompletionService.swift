// Fetches what was left out when rooms were handed over. Server-Server API §Joining Rooms (`omit_members`).

import Logging
import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle
import Synchronization

/// Makes rooms with partial state whole, each in a task of its own, however long it takes: as long as this server is in the room it asks one
/// server after the other, with pauses that grow, and after a restart it goes on.
package final class RoomCompletionService: Service {
    private let client: FederationClient
    private let intake: EventIntake
    private let rooms: RoomRegistry
    private let logger: Logger
    private let tasks = Mutex<[RoomID: Task<Void, Never>]>([:])

    /// How many servers are asked before there is a pause.
    private static let serverLimit = 10
    private static let shortestPause: Duration = .seconds(2)
    private static let longestPause: Duration = .seconds(600)
    /// Of how many events beside the join servers are asked for the state after them. The others stand on the state before the join.
    private static let furtherStateLimit = 5
    /// How often events may come meanwhile that stand on something else.
    private static let roundLimit = 20

    package init(client: FederationClient, intake: EventIntake, rooms: RoomRegistry, logger: Logger) {
        self.client = client
        self.intake = intake
        self.rooms = rooms
        self.logger = logger
    }

    /// Takes up the rooms that a former run has left, and lets go of all when the server stops.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await self.resume()
            while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
        }
        for task in tasks.withLock({ Array($0.values) }) { task.cancel() }
    }

    private func resume() async {
        while !Task.isCancelled {
            do {
                let rows = try await rooms.environment.database.read { try PartialRoomStore.all(on: $0) }
                for row in rows where row.wholeAt == nil { if let room = try await rooms.room(row.id) { begin(room) } }
                return
            } catch {
                logger.warning("the database does not tell which rooms lack members", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .seconds(5))
            }
        }
    }

    /// Begins to fetch what a room lacks, unless that is under way.
    package func begin(_ room: Room) {
        tasks.withLock { tasks in
            guard tasks[room.id] == nil else { return }
            tasks[room.id] = Task {
                await self.complete(room)
                self.tasks.withLock { $0[room.id] = nil }
            }
        }
    }

    // MARK: One room

    /// Whether there is something to do: who has left a room fetches nothing for it.
    private func isWanted(_ room: Room) -> Bool {
        let current = room.current
        return current.isPartial && current.isJoined(by: client.serverName)
    }

    private func complete(_ room: Room) async {
        var pause = Self.shortestPause
        while !Task.isCancelled, isWanted(room) {
            do {
                let nid = room.nid
                guard let row = try await rooms.environment.database.read({ try PartialRoomStore.row(nid, on: $0) }) else { return }
                for server in candidates(room, row) where isWanted(room) {
                    if try await complete(room, row, by: server) { return }
                    if Task.isCancelled { return }
                }
            } catch {
                logger.warning("the members of a room could not be stored", metadata: ["room": "\(room.id)", "error": "\(error)"])
            }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// The server that has handed the room over, and some of the others: other ones each time.
    private func candidates(_ room: Room, _ row: PartialRoomRow) -> [ServerName] {
        let others = room.current.servers.keys.filter { $0 != client.serverName && $0 != row.via }
        return [row.via] + others.shuffled().prefix(Self.serverLimit - 1)
    }

    /// - Returns: false where the server is of no help.
    /// - Throws: where something could not be stored.
    private func complete(_ room: Room, _ row: PartialRoomRow, by server: ServerName) async throws -> Bool {
        let begun = ContinuousClock.now
        do {
            var whole = WholeState(beforeJoin: try await intake.state(before: row.join, in: room, from: server))
            for _ in 0..<Self.roundLimit {
                do {
                    try await room.complete(whole)
                    logger.info(
                        "a room has all its members",
                        metadata: [
                            "room": "\(room.id)", "server": "\(server)", "members": "\(room.current.joinedCount)",
                            "took": "\(ContinuousClock.now - begun)",
                        ])
                    return true
                } catch let wanted as FurtherStatesWanted {
                    for id in wanted.after { whole.afterMissing[id] = try await state(after: id, in: room, from: server, beside: whole) }
                }
            }
            return false
        } catch let error as FederationFailure {
            logger.info(
                "a server does not tell who is in a room", metadata: ["room": "\(room.id)", "server": "\(server)", "error": "\(error)"])
        } catch let error as WholeStateRefused {
            logger.warning(
                "what a server says of who is in a room makes no sense",
                metadata: ["room": "\(room.id)", "server": "\(server)", "error": "\(error)"])
        }
        return false
    }

    private func state(
        after id: EventID, in room: Room, from server: ServerName, beside whole: WholeState
    ) async throws -> [EventID] {
        guard whole.afterMissing.count < Self.furtherStateLimit else { return whole.beforeJoin }
        do {
            return try await intake.state(after: id, in: room, from: server)
        } catch let error as FederationFailure {
            logger.info(
                "a state is taken for the one before the join", metadata: ["room": "\(room.id)", "event": "\(id)", "error": "\(error)"])
            return whole.beforeJoin
        }
    }
}
