import Rooms
import Synchronization
import Testing

/// Counts who is inside.
private final class Visitors: Sendable {
    private let counts = Mutex((inside: 0, most: 0, total: 0))

    var most: Int { counts.withLock { $0.most } }
    var total: Int { counts.withLock { $0.total } }

    func enter() {
        counts.withLock { counts in
            counts.inside += 1
            counts.most = max(counts.most, counts.inside)
        }
    }

    func leave() {
        counts.withLock { counts in
            counts.inside -= 1
            counts.total += 1
        }
    }
}

@Suite("Keyed queue")
struct KeyedQueueTests {
    @Test("operations of one key never overlap, and all of them run")
    func exclusive() async {
        let queue = KeyedQueue<Int>()
        let visitors = Visitors()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    await queue.run(1) {
                        visitors.enter()
                        await Task.yield()
                        visitors.leave()
                    }
                }
            }
        }
        #expect(visitors.most == 1)
        #expect(visitors.total == 200)
    }

    @Test("an operation that throws frees its key")
    func throwing() async throws {
        struct Refused: Error {}
        let queue = KeyedQueue<Int>()
        await #expect(throws: Refused.self) { try await queue.run(1) { throw Refused() } }
        #expect(await queue.run(1) { 7 } == 7)
    }

    @Test("different keys do not wait for each other")
    func independent() async {
        let queue = KeyedQueue<Int>()
        let value = await queue.run(1) { await queue.run(2) { 5 } }
        #expect(value == 5)
    }
}
