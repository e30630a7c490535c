// Room upgrades as clients ask for them. Client-Server API §Room upgrades.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Upgrades a room once, however often its client asks, and takes along what people have set for it.
package final class RoomUpgradeService: Sendable {
    private struct Attempt {
        let user: UserID
        let version: RoomVersion
        let task: Task<RoomID, any Error>
        /// nil while it is under way.
        var finished: ContinuousClock.Instant?
    }

    private let rooms: RoomRegistry
    private let upgrade: RoomUpgrade
    private let settings: RoomSettingsCopy
    private let rateLimits: RateLimiter
    private let attempts = Mutex<[RoomID: Attempt]>([:])

    /// How long a repeated request gets the room that the first one made.
    private static let memory: Duration = .seconds(300)

    package init(rooms: RoomRegistry, events: EventReader, settings: RoomSettingsCopy, rateLimits: RateLimiter) {
        self.rooms = rooms
        upgrade = RoomUpgrade(rooms: rooms, events: events)
        self.settings = settings
        self.rateLimits = rateLimits
    }

    /// - Returns: the id of the room that takes the place of `room`.
    /// - Throws: `M_NOT_FOUND`, `M_FORBIDDEN`, `M_LIMIT_EXCEEDED`; `M_UNKNOWN` (400) while somebody else upgrades the room.
    package func replace(
        _ room: RoomID, by version: RoomVersion, additionalCreators: [UserID], for requester: Requester
    ) async throws -> RoomID {
        try rateLimits.checkRoomCreation(by: requester.user)
        return try await task(room, version, additionalCreators, requester).value
    }

    private func task(
        _ room: RoomID, _ version: RoomVersion, _ creators: [UserID], _ requester: Requester
    ) throws(MatrixError) -> Task<RoomID, any Error> {
        let now = ContinuousClock.now
        let found: Result<Task<RoomID, any Error>, MatrixError> = attempts.withLock { attempts in
            attempts = attempts.filter { $0.value.finished.map { now - $0 < Self.memory } ?? true }
            if let known = attempts[room] {
                if known.user == requester.user, known.version == version { return .success(known.task) }
                if known.finished == nil { return .failure(.unknown("An upgrade for this room is currently in progress", status: 400)) }
            }
            let task = Task { try await self.carryOut(room, version, creators, requester) }
            attempts[room] = Attempt(user: requester.user, version: version, task: task)
            return .success(task)
        }
        return try found.get()
    }

    private func carryOut(
        _ room: RoomID, _ version: RoomVersion, _ creators: [UserID], _ requester: Requester
    ) async throws -> RoomID {
        do {
            let new = try await upgrade.upgrade(
                room, to: version, additionalCreators: creators, by: EventOrigin(user: requester.user, device: requester.device))
            if let old = try await rooms.room(room) { try await settings.copy(from: room, old.nid, to: new) }
            attempts.withLock { $0[room]?.finished = .now }
            return new
        } catch {
            attempts.withLock { _ = $0.removeValue(forKey: room) }
            throw error
        }
    }
}
