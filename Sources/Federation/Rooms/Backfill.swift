// The past of rooms that other servers have and this one does not. Server-Server API §Backfilling and retrieving missing events.

import Logging
import MatrixCore
import Persistence
import Rooms

/// Fetches what happened before all that is known of a room, or in a gap of its timeline, when somebody pages back to there.
package actor Backfill: RoomPast {
    private struct Place: Hashable {
        let room: RoomID
        let gap: StreamPosition
    }

    private let client: FederationClient
    private let verifier: EventVerifier
    private let intake: EventIntake
    private let database: any Database
    private let logger: Logger
    private var running: [Place: Task<Bool, any Error>] = [:]
    /// Places of which nobody had more, and until when nobody is asked again.
    private var exhausted = RecentCache<Place, ContinuousClock.Instant>(capacity: 1000)

    /// How many events are asked for at once, and how many ends of what is known are named.
    private static let eventLimit = 100
    private static let startLimit = 5
    /// How many servers are asked.
    private static let serverLimit = 5
    private static let pauseWhenExhausted: Duration = .seconds(300)
    /// The pause where some did not answer: they may have more.
    private static let pauseWhenSilent: Duration = .seconds(5)

    package init(client: FederationClient, verifier: EventVerifier, intake: EventIntake, database: any Database, logger: Logger) {
        self.client = client
        self.verifier = verifier
        self.intake = intake
        self.database = database
        self.logger = logger
    }

    package func extend(_ room: Room, in gap: StreamPosition) async throws -> Bool {
        let place = Place(room: room.id, gap: gap)
        if let task = running[place] { return try await task.value }
        if let until = exhausted.value(for: place), until > .now { return false }
        let task = Task { try await self.fetch(room, place) }
        running[place] = task
        defer { running[place] = nil }
        return try await task.value
    }

    /// How long one waits for the members of a room, so that its past is placed on states that are whole.
    private static let completionPatience: Duration = .seconds(3)

    private func fetch(_ room: Room, _ place: Place) async throws -> Bool {
        try await room.isSettled(within: Self.completionPatience)
        let starts = try await missing(in: room, place)
        guard !starts.isEmpty else {
            try await room.close(place.gap)
            return false
        }
        var isAnybodySilent = false
        for server in candidates(room) {
            do {
                let list = try await client.backfill(room.id, from: starts.map(\.id), limit: Self.eventLimit, at: server)
                let events = try await verifier.verified(
                    Array(list.prefix(Self.eventLimit)), version: room.version, in: room.id)
                guard !events.isEmpty else { continue }
                try await intake.takePast(events, in: room, from: server)
                if try await missing(in: room, place) != starts { return true }
            } catch let error as FederationFailure {
                isAnybodySilent = isAnybodySilent || error.isPassing
                logger.info(
                    "a server does not tell of the past", metadata: ["room": "\(room.id)", "server": "\(server)", "error": "\(error)"])
            } catch let error as MissingFoundation {
                logger.info("the past does not fit", metadata: ["room": "\(room.id)", "server": "\(server)", "error": "\(error)"])
            }
        }
        exhausted.insert(.now.advanced(by: isAnybodySilent ? Self.pauseWhenSilent : Self.pauseWhenExhausted), for: place)
        return false
    }

    /// The newest events that are missing there.
    private func missing(in room: Room, _ place: Place) async throws -> [MissingEventRow] {
        let nid = room.nid
        return try await database.read { try MissingEventStore.events(in: nid, floor: place.gap, limit: Self.startLimit, on: $0) }
    }

    /// The servers in the room, those with most members first: they are likeliest to be there and to have been for long.
    private func candidates(_ room: Room) -> [ServerName] {
        Array(room.current.servers(limit: Self.serverLimit + 1).filter { $0 != client.serverName }.prefix(Self.serverLimit))
    }
}
