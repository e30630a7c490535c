// Threads for work that blocks or takes long, which would stall everything else on the threads that Swift shares.

import Dispatch
import Synchronization

/// A few threads of their own, and a bounded number of those who wait for one.
package final class BlockingThreads: Sendable {
    private let threads: [DispatchQueue]
    /// How many wait for each thread, or are on it.
    private let waiting: Mutex<[Int]>
    private let limit: Int

    /// - Parameters:
    ///   - label: of the threads, for debuggers.
    ///   - limit: how many may wait, over all threads.
    package init(label: String, count: Int, limit: Int) {
        threads = (0..<max(1, count)).map { DispatchQueue(label: "\(label).\($0)") }
        waiting = Mutex(Array(repeating: 0, count: max(1, count)))
        self.limit = limit
    }

    /// Runs `body` on the thread with the shortest queue.
    ///
    /// - Returns: nil where too many wait; `body` is not run then.
    package func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T? {
        guard let thread = waiting.withLock({ enter(&$0) }) else { return nil }
        let result = await withCheckedContinuation { continuation in
            threads[thread].async { continuation.resume(returning: body()) }
        }
        waiting.withLock { $0[thread] -= 1 }
        return result
    }

    private func enter(_ waiting: inout [Int]) -> Int? {
        guard let shortest = waiting.indices.min(by: { waiting[$0] < waiting[$1] }), waiting.reduce(0, +) < limit else { return nil }
        waiting[shortest] += 1
        return shortest
    }
}
