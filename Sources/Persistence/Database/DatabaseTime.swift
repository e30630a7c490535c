// How long a request waited for the database, for its line in the log.

import Synchronization

/// Adds up the time spent in `read` and `write`, the wait for a connection included, while it is the task's `current`.
package final class DatabaseTime: Sendable {
    @TaskLocal package static var current: DatabaseTime?

    private let nanoseconds = Atomic<Int64>(0)
    private let calls = Atomic<Int>(0)

    package init() {}

    package var total: Duration { .nanoseconds(nanoseconds.load(ordering: .relaxed)) }

    /// How many times the database was asked.
    package var count: Int { calls.load(ordering: .relaxed) }

    /// Adds what `start` to now took.
    package func add(since start: ContinuousClock.Instant) {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        nanoseconds.add(seconds * 1_000_000_000 + attoseconds / 1_000_000_000, ordering: .relaxed)
        calls.add(1, ordering: .relaxed)
    }
}
