// Work that follows its reasons.

import Synchronization
import Testing

import Homeserver

@Suite("Chores", .timeLimit(.minutes(10)))
struct ChoreTests {
    @Test("are done once for all reasons of a while, and again for later ones")
    func gathers() async {
        let chore = Chore(after: .milliseconds(30))
        let (rounds, round) = AsyncStream.makeStream(of: Void.self)
        let running = Task { await chore.run { round.yield() } }
        var iterator = rounds.makeAsyncIterator()
        for _ in 0..<2 {
            for _ in 0..<10 { chore.isNeeded() }
            await iterator.next()
        }
        running.cancel()
        await running.value
    }

    @Test("are not done without a reason, nor after the end")
    func rests() async throws {
        let count = Mutex(0)
        let chore = Chore(after: .milliseconds(1))
        let running = Task { await chore.run { count.withLock { $0 += 1 } } }
        try await Task.sleep(for: .milliseconds(50))
        #expect(count.withLock { $0 } == 0)
        running.cancel()
        await running.value
        chore.isNeeded()
        try await Task.sleep(for: .milliseconds(20))
        #expect(count.withLock { $0 } == 0)
    }
}
