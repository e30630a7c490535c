// How long statements may run.

/// The end of the time that statements have. SQLite asks for it every so often while it works.
final class SQLiteDeadline {
    private let end: ContinuousClock.Instant

    /// How many instructions of SQLite's virtual machine lie between two questions.
    static let interval: Int32 = 10_000

    init(_ end: ContinuousClock.Instant) { self.end = end }

    /// - Parameter context: the deadline, unretained: the connection that has it keeps it.
    /// - Returns: not zero when SQLite is to stop.
    static func hasPassed(_ context: UnsafeMutableRawPointer?) -> Int32 {
        guard let context else { return 0 }
        return ContinuousClock.now > Unmanaged<SQLiteDeadline>.fromOpaque(context).takeUnretainedValue().end ? 1 : 0
    }
}
