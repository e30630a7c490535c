// The one clock of all waiting syncs.

import Synchronization

/// Wakes waiters at their deadlines, with one task for all of them that sleeps until the next one.
package final class SyncTimer: Sendable {
    package typealias Ticket = DeadlineQueue<SyncWaiter>.Ticket

    private struct State {
        var queue = DeadlineQueue<SyncWaiter>()
        /// Until when the task sleeps; nil while it works, or waits for a first deadline.
        var sleepsUntil: Int64?
        var sleep: Task<Void, Never>?
        /// The task waits for a first deadline.
        var idle: CheckedContinuation<Void, Never>?
        var isStopped = false
    }

    private let state = Mutex(State())
    private static let origin = ContinuousClock.now

    package init() {}

    /// Milliseconds on a clock that does not jump.
    package static var now: Int64 {
        let elapsed = (ContinuousClock.now - origin).components
        return elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
    }

    /// When a request that came now and is to wait for at most `timeout` milliseconds is answered: long waits end together, up to a tenth of
    /// their length early, so that a thousand idle clients wake the server every few seconds, and come back together.
    package static func deadline(after timeout: Int64) -> Int64 {
        let exact = now + timeout
        return timeout < 10_000 ? exact : exact - exact % SyncTimer.grid(of: timeout)
    }

    /// A whole number of seconds, a tenth of the time at the most.
    private static func grid(of timeout: Int64) -> Int64 { timeout / 10_000 * 1000 }

    /// - Parameter deadline: on the clock of `now`.
    /// - Returns: nil when the timer was stopped; the waiter is woken then.
    package func add(_ waiter: SyncWaiter, deadline: Int64) -> Ticket? {
        var idle: CheckedContinuation<Void, Never>?
        let ticket: Ticket? = state.withLock { state in
            guard !state.isStopped else { return nil }
            let ticket = state.queue.insert(waiter, deadline: deadline)
            if let sleepsUntil = state.sleepsUntil, deadline < sleepsUntil { state.sleep?.cancel() }
            (idle, state.idle) = (state.idle, nil)
            return ticket
        }
        idle?.resume()
        if ticket == nil { waiter.wake(.stopping) }
        return ticket
    }

    package func remove(_ ticket: Ticket) {
        state.withLock { _ = $0.queue.remove(ticket) }
    }

    /// Wakes everyone, now and from now on.
    package func stop() {
        let (waiters, idle, sleep) = state.withLock { state in
            state.isStopped = true
            defer { state.idle = nil }
            return (state.queue.removeAll(), state.idle, state.sleep)
        }
        for waiter in waiters { waiter.wake(.stopping) }
        sleep?.cancel()
        idle?.resume()
    }

    /// Works until `stop`.
    package func run() async {
        while true {
            let (due, next, isStopped) = state.withLock { state in
                (state.queue.removeDue(at: SyncTimer.now), state.queue.nextDeadline(), state.isStopped)
            }
            for waiter in due { waiter.wake(.timedOut) }
            guard !isStopped else { return }
            if let next { await sleep(until: next) } else { await waitForFirst() }
        }
    }

    private func sleep(until deadline: Int64) async {
        let pause = max(1, deadline - SyncTimer.now)
        let sleep = Task { do { try await Task.sleep(for: .milliseconds(pause)) } catch { return } }
        // An earlier deadline may have come while the task was made.
        let isDue = state.withLock { state in
            if state.isStopped { return true }
            if let next = state.queue.nextDeadline(), next < deadline { return true }
            (state.sleepsUntil, state.sleep) = (deadline, sleep)
            return false
        }
        if isDue { sleep.cancel() }
        await sleep.value
        state.withLock { ($0.sleepsUntil, $0.sleep) = (nil, nil) }
    }

    private func waitForFirst() async {
        await withCheckedContinuation { continuation in
            let isDue = state.withLock { state in
                if state.isStopped || state.queue.count > 0 { return true }
                state.idle = continuation
                return false
            }
            if isDue { continuation.resume() }
        }
    }
}
