// A place in the stream that only moves on, and those who wait for it to be reached.

import MatrixCore
import Persistence
import Synchronization

/// Where something has come to, in the stream or in reading it.
///
/// Who waits is woken once, when the position that they wait for is reached, and not for each step on the way.
package final class PositionGate: Sendable {
    private struct State {
        var position: StreamPosition
        var waiters: [Int: (target: StreamPosition, continuation: CheckedContinuation<Bool, Never>)] = [:]
        /// Those who were cancelled before they began to wait.
        var cancelled: Set<Int> = []
        var nextWaiter = 0
    }

    private let state: Mutex<State>

    package init(at position: StreamPosition) {
        state = Mutex(State(position: position))
    }

    package var position: StreamPosition { state.withLock { $0.position } }

    /// Moves on, never back, and wakes those whose position is reached.
    package func advance(to position: StreamPosition) {
        let due = state.withLock { state -> [CheckedContinuation<Bool, Never>] in
            guard position > state.position else { return [] }
            state.position = position
            let due = state.waiters.filter { $0.value.target <= position }
            for number in due.keys { state.waiters[number] = nil }
            return due.values.map(\.continuation)
        }
        for continuation in due { continuation.resume(returning: true) }
    }

    /// Returns when `target` is reached, or false when the task is cancelled.
    @discardableResult
    package func wait(for target: StreamPosition) async -> Bool {
        let known: Int? = state.withLock { state in
            if state.position >= target { return nil }
            state.nextWaiter += 1
            return state.nextWaiter
        }
        guard let number = known else { return true }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.position >= target { return true }
                    if state.cancelled.remove(number) != nil { return false }
                    state.waiters[number] = (target, continuation)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                let waiter = state.waiters.removeValue(forKey: number)
                if waiter == nil { state.cancelled.insert(number) }
                return waiter
            }
            waiter?.continuation.resume(returning: false)
        }
        state.withLock { _ = $0.cancelled.remove(number) }
        return outcome
    }

    /// Returns when `target` is reached, or false when that takes longer than `limit`, or when the task is cancelled.
    package func wait(for target: StreamPosition, within limit: Duration) async -> Bool {
        if position >= target { return true }
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.wait(for: target) }
            group.addTask {
                // Cancelled when the position was reached earlier.
                try? await Task.sleep(for: limit)
                return false
            }
            let outcome = await group.next() ?? false
            group.cancelAll()
            return outcome
        }
    }
}
