// How long a test may take that shows that something does not take long.

import Glibc

/// Bounds are generous: they tell time in proportion to the input from time in proportion to its square, on any machine.
enum TimeBound {
    /// How many times slower than usual everything is: `Scripts/sanitize` sets `MARTLET_TEST_SLOWNESS`.
    private static let slowness = getenv("MARTLET_TEST_SLOWNESS").flatMap { Int(String(cString: $0)) } ?? 1

    static func seconds(_ seconds: Int) -> Duration { .seconds(seconds * slowness) }

    /// The processor time that `work` takes on this thread: what else the machine and other tests do does not count.
    static func measure(_ work: () throws -> Void) rethrows -> Duration {
        let start = processorTime
        try work()
        return processorTime - start
    }

    private static var processorTime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
