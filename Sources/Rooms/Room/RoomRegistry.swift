// The rooms that are awake, one actor each.

import MatrixCore
import Persistence
import Synchronization

/// Finds rooms, wakes them from the database, and puts those to sleep that were not used for longest when their memory exceeds
/// the budget.
///
/// There is never more than one actor of a room: a room that is put to sleep while somebody still holds it stays known by a weak
/// reference, and is found again through that until it is gone.
package final class RoomRegistry: Sendable {
    fileprivate struct Awake {
        let room: Room
        var cost: Int
        var lastUse: UInt64
    }

    fileprivate struct Dozing {
        weak var room: Room?
    }

    fileprivate struct State {
        var awake: [RoomID: Awake] = [:]
        var dozing: [RoomID: Dozing] = [:]
        var waking: [RoomID: Task<Room?, any Error>] = [:]
        var cost = 0
        var uses: UInt64 = 0
    }

    package let environment: RoomEnvironment
    private let byteLimit: Int
    private let state = Mutex(State())

    /// - Parameter byteLimit: about how many bytes rooms may hold in memory.
    package init(environment: RoomEnvironment, byteLimit: Int = 32 << 20) {
        self.environment = environment
        self.byteLimit = byteLimit
    }

    /// The room of this id, awake; nil when this server does not know it.
    package func room(_ id: RoomID) async throws -> Room? {
        if let room = awake(id) { return room }
        let task = state.withLock { state in
            if let task = state.waking[id] { return task }
            let task = Task { [self] in try await wake(id) }
            state.waking[id] = task
            return task
        }
        return try await task.value
    }

    /// - Throws: `MatrixError` 404 `M_NOT_FOUND` when there is no such room.
    package func existing(_ id: RoomID) async throws -> Room {
        guard let room = try await room(id) else { throw MatrixError.notFound("Unknown room") }
        return room
    }

    /// Takes in a room that was just created.
    func adopt(_ room: Room) { state.withLock { $0.add(room, limit: byteLimit) } }

    /// How many rooms are awake, and about how many bytes they hold.
    package var usage: (rooms: Int, bytes: Int) { state.withLock { ($0.awake.count, $0.cost) } }

    private func awake(_ id: RoomID) -> Room? {
        state.withLock { state in
            state.uses += 1
            if let index = state.awake.index(forKey: id) {
                state.awake.values[index].lastUse = state.uses
                return state.awake.values[index].room
            }
            guard let room = state.dozing[id]?.room else { return nil }
            state.add(room, limit: byteLimit)
            return room
        }
    }

    private func wake(_ id: RoomID) async throws -> Room? {
        do {
            let head = try await environment.database.read { try RoomHead.load(id, on: $0) }
            return state.withLock { state in
                state.waking[id] = nil
                guard let head else { return nil }
                // Created meanwhile, or still held by someone: that one is the room.
                if let room = state.awake[id]?.room ?? state.dozing[id]?.room { return room }
                let room = Room(head: head, environment: environment)
                state.add(room, limit: byteLimit)
                return room
            }
        } catch {
            state.withLock { $0.waking[id] = nil }
            throw error
        }
    }
}

extension RoomRegistry.State {
    fileprivate mutating func add(_ room: Room, limit: Int) {
        uses += 1
        dozing[room.id] = nil
        if let old = awake[room.id] { cost -= old.cost }
        let entry = RoomRegistry.Awake(room: room, cost: room.cost, lastUse: uses)
        awake[room.id] = entry
        cost += entry.cost
        if cost > limit { putToSleep(limit: limit) }
    }

    /// Costs change while rooms live: they are counted anew before any room is put to sleep.
    private mutating func putToSleep(limit: Int) {
        cost = 0
        for id in awake.keys {
            let current = awake[id]?.room.cost ?? 0
            awake[id]?.cost = current
            cost += current
        }
        dozing = dozing.filter { $0.value.room != nil }
        for (id, entry) in awake.sorted(by: { $0.value.lastUse < $1.value.lastUse }).dropLast() {
            if cost <= limit * 3 / 4 { break }
            awake[id] = nil
            dozing[id] = RoomRegistry.Dozing(room: entry.room)
            cost -= entry.cost
        }
    }
}
