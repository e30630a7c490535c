// Waiting, but not for ever.

import Synchronization

/// Runs `body` for at most `limit`; nil when it had no result by then. It is cancelled in that case, and waited for: what it waits for must
/// end when its task is cancelled.
func within<T: Sendable>(_ limit: Duration, _ body: @escaping @Sendable () async -> T) async -> T? {
    await withTaskGroup(of: T?.self) { group in
        group.addTask { await body() }
        group.addTask {
            // Cancelled when the body was quicker.
            try? await Task.sleep(for: limit)
            return nil
        }
        let outcome = await group.next() ?? nil
        group.cancelAll()
        return outcome
    }
}

/// A value that comes once, for any number of waiters, also for those who come after it.
final class Outcome<Value: Sendable>: Sendable {
    private enum State {
        case pending([Int: CheckedContinuation<Value?, Never>], next: Int)
        case known(Value)
    }

    private let state = Mutex(State.pending([:], next: 0))

    func resolve(_ value: Value) {
        let waiters = state.withLock { state -> [Int: CheckedContinuation<Value?, Never>] in
            guard case .pending(let waiters, _) = state else { return [:] }
            state = .known(value)
            return waiters
        }
        for waiter in waiters.values { waiter.resume(returning: value) }
    }

    /// - Returns: nil where the waiting task was cancelled.
    func value() async -> Value? {
        let number = state.withLock { state -> Int in
            guard case .pending(let waiters, let next) = state else { return 0 }
            state = .pending(waiters, next: next + 1)
            return next
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now: Value?? = state.withLock { state in
                    switch state {
                    case .known(let value): return .some(value)
                    case .pending(var waiters, let next):
                        // The handler of a cancellation that came before has found nobody.
                        if Task.isCancelled { return .some(nil) }
                        waiters[number] = continuation
                        state = .pending(waiters, next: next)
                        return nil
                    }
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Value?, Never>? in
                guard case .pending(var waiters, let next) = state else { return nil }
                let waiter = waiters.removeValue(forKey: number)
                state = .pending(waiters, next: next)
                return waiter
            }
            waiter?.resume(returning: nil)
        }
    }
}
