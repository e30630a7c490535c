// Points in time as the protocol writes them. Client-Server API §Types of room events: `origin_server_ts`.

/// Milliseconds since the Unix epoch. MatrixCore has no clock: the present is given by the caller.
package struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let milliseconds: Int64

    @inlinable
    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    @inlinable
    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    /// Milliseconds from `other` to this timestamp; stops at the ends of `Int64`, because events carry any number.
    package func milliseconds(since other: Timestamp) -> Int64 {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(other.milliseconds)
        guard overflow else { return difference }
        return milliseconds < other.milliseconds ? .min : .max
    }

    /// The timestamp this many milliseconds later; stops at the ends of `Int64`.
    package func advanced(byMilliseconds delta: Int64) -> Timestamp {
        let (sum, overflow) = milliseconds.addingReportingOverflow(delta)
        guard overflow else { return Timestamp(milliseconds: sum) }
        return Timestamp(milliseconds: delta < 0 ? .min : .max)
    }

    package var description: String { "\(milliseconds)" }
}
