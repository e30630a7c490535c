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

    /// How many run or wait.
    package var load: Int { waiting.withLock { $0.reduce(0, +) } }

    /// Runs `body` on the thread with the shortest queue. A task that is cancelled waits no longer; its `body` runs to its end all the same.
    ///
    /// - Returns: nil where too many wait, and `body` is not run; nil also for a cancelled task.
    package func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T? {
        guard let thread = waiting.withLock({ enter(&$0) }) else { return nil }
        let outcome = Outcome<T>()
        threads[thread].async { [self] in
            let result = body()
            waiting.withLock { $0[thread] -= 1 }
            outcome.resume(returning: result)
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { outcome.wait($0) }
        } onCancel: {
            outcome.resume(returning: nil)
        }
    }

    /// What is resumed once, by whoever comes first: the thread, or the end of the task.
    private final class Outcome<T: Sendable>: Sendable {
        private enum State {
            case pending
            case waiting(CheckedContinuation<T?, Never>)
            case done(T?)
        }

        private let state = Mutex(State.pending)

        func wait(_ continuation: CheckedContinuation<T?, Never>) {
            let early: T?? = state.withLock { state in
                if case .done(let result) = state { return .some(result) }
                state = .waiting(continuation)
                return nil
            }
            if let early { continuation.resume(returning: early) }
        }

        func resume(returning result: T?) {
            let continuation: CheckedContinuation<T?, Never>? = state.withLock { state in
                switch state {
                case .pending:
                    state = .done(result)
                    return nil
                case .waiting(let continuation):
                    state = .done(result)
                    return continuation
                case .done: return nil
                }
            }
            continuation?.resume(returning: result)
        }
    }

    private func enter(_ waiting: inout [Int]) -> Int? {
        guard let shortest = waiting.indices.min(by: { waiting[$0] < waiting[$1] }), waiting.reduce(0, +) < limit else { return nil }
        waiting[shortest] += 1
        return shortest
    }
}
