// Threads for work that blocks.

import Glibc
import Homeserver
import Synchronization
import Testing

@Suite("Blocking threads")
struct BlockingThreadsTests {
    /// A gate that holds threads until it is opened.
    private final class Gate: Sendable {
        let isOpen = Atomic(false)
        func pass() { while !isOpen.load(ordering: .acquiring) { usleep(1000) } }
    }

    @Test("work gives its result, and more than may wait is refused")
    func bound() async {
        let (threads, gate) = (BlockingThreads(label: "test", count: 2, limit: 4), Gate())
        let tasks = (0..<4).map { number in
            Task {
                await threads.run {
                    gate.pass()
                    return number
                }
            }
        }
        while threads.load < 4 { await Task.yield() }
        #expect(await threads.run { -1 } == nil)
        gate.isOpen.store(true, ordering: .releasing)
        var results: [Int?] = []
        for task in tasks { results.append(await task.value) }
        #expect(results == [0, 1, 2, 3])
        #expect(await threads.run { 7 } == 7)
    }

    @Test("a cancelled task waits no longer, and its thread is free when the work is done")
    func cancellation() async {
        let (threads, gate) = (BlockingThreads(label: "test", count: 1, limit: 1), Gate())
        let task = Task {
            await threads.run {
                gate.pass()
                return 1
            }
        }
        while threads.load < 1 { await Task.yield() }
        task.cancel()
        #expect(await task.value == nil)
        #expect(await threads.run { 2 } == nil)
        gate.isOpen.store(true, ordering: .releasing)
        while threads.load > 0 { await Task.yield() }
        #expect(await threads.run { 3 } == 3)
    }
}
