// Events that could not be brought in because no server would say what they stand on. Server-Server API §Backfilling and retrieving
// missing events.

import MatrixCore
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

/// Has events tried again, so that in a room in which nothing more is said the last word is not lost. It is in memory only: what a restart
/// forgets comes with the next event of the room, which follows it.
package final class LateEvents: Sendable {
    /// How many events of one server, and how many over all, are tried again. Those beyond come with what follows them.
    private let serverLimit: Int
    private let limit: Int
    /// The pauses before each attempt.
    private let pauses: [Duration]
    private let counts = Mutex<[ServerName: Int]>([:])
    private let events: AsyncStream<LateEvent>
    private let continuation: AsyncStream<LateEvent>.Continuation

    package init(
        serverLimit: Int = 20, limit: Int = 500,
        pauses: [Duration] = [.seconds(1), .seconds(5), .seconds(30), .seconds(120), .seconds(600)]
    ) {
        self.serverLimit = serverLimit
        self.limit = limit
        self.pauses = pauses
        (events, continuation) = AsyncStream.makeStream()
    }

    package func add(_ late: LateEvent) {
        let isTaken = counts.withLock { counts in
            guard counts[late.server, default: 0] < serverLimit, counts.values.reduce(0, +) < limit else { return false }
            counts[late.server, default: 0] += 1
            return true
        }
        if isTaken { continuation.yield(late) }
    }

    /// Has each event tried after its pauses until `attempt` says that it is done with, and no longer than the server runs.
    package func run(_ attempt: @escaping @Sendable (LateEvent) async -> Bool) async {
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                for await late in events {
                    group.addTask { [self] in
                        await insist(on: late, attempt)
                        forget(late)
                    }
                }
                group.cancelAll()
            }
        }
    }

    private func insist(on late: LateEvent, _ attempt: @Sendable (LateEvent) async -> Bool) async {
        for pause in pauses {
            do { try await Task.sleep(for: pause) } catch { return }
            if await attempt(late) { return }
        }
    }

    private func forget(_ late: LateEvent) {
        counts.withLock { counts in
            let left = counts[late.server, default: 1] - 1
            counts[late.server] = left > 0 ? left : nil
        }
    }
}
