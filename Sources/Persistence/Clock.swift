// The wall clock. `MatrixCore` has none, so the lowest target that may ask for the time gives it.

import Glibc
import MatrixCore

extension Timestamp {
    /// Milliseconds since the epoch, from the system's clock.
    package static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
