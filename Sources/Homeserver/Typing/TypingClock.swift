// The time by which typing ends.

/// A clock that a test can replace.
package struct TypingClock: Sendable {
    /// Time since some fixed moment; never goes back.
    package let now: @Sendable () -> Duration
    /// Returns after `duration`, or throws when the task is cancelled.
    package let sleep: @Sendable (_ duration: Duration) async throws -> Void

    package init(
        now: @escaping @Sendable () -> Duration, sleep: @escaping @Sendable (_ duration: Duration) async throws -> Void
    ) {
        self.now = now
        self.sleep = sleep
    }

    /// The system's clock.
    package static var continuous: TypingClock {
        let clock = ContinuousClock()
        let start = clock.now
        return TypingClock(now: { start.duration(to: clock.now) }, sleep: { try await clock.sleep(for: $0) })
    }
}
