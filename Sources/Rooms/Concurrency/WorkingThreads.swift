// The threads on which rooms and the Journal work.

/// Executors of one thread each, by which those who work off a queue choose where they do it.
///
/// Whoever finds a queue idle has it worked off on the thread where he is himself: to wake another one, and to be woken again by it, takes
/// longer than most of the work. While it is being worked off, others only add to it, wherever they are.
package struct WorkingThreads: Sendable {
    private let executors: [any TaskExecutor]

    /// None: Swift's shared threads.
    package init(_ executors: [any TaskExecutor] = []) { self.executors = executors }

    /// The thread on which the current task prefers to be, where it is one of these; else that of `number`.
    func here(or number: UInt64) -> (any TaskExecutor)? {
        guard !executors.isEmpty else { return nil }
        let current = withUnsafeCurrentTask { $0?.unownedTaskExecutor }
        if let current, let executor = executors.first(where: { $0.asUnownedTaskExecutor() == current }) { return executor }
        return executors[Int(number % UInt64(executors.count))]
    }
}
