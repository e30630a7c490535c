// The threads that the server runs on: one for each processor, which reads what comes in and works it off.

import NIOCore
import NIOPosix

import enum ServerConfiguration.FileText

/// The event loops, and their use as executors of tasks.
///
/// What a request sets in motion stays on the thread that read it, as far as it waits for no disk: to wake another thread costs more than
/// most of the work. So rooms and the Journal work on these too, on that of the request which sets them to work, and the services that follow
/// the commit stream are together on the first. What takes long (hashing a password, a query) has threads of its own, and what a processor is
/// busy with for milliseconds belongs on Swift's shared threads (`globalConcurrentExecutor`).
package struct EventLoops: Sendable {
    package let group: any EventLoopGroup
    /// One for each loop. The first is the home of those who follow the Journal.
    package let executors: [any TaskExecutor]
    private let byLoop: [ObjectIdentifier: any TaskExecutor]

    /// Those of the process, which it shares with its outgoing connections; they end with it.
    package static func ofProcess() -> EventLoops {
        NIOSingletons.groupLoopCountSuggestion = Processors.available
        return EventLoops(MultiThreadedEventLoopGroup.singleton)
    }

    /// - Parameter threads: how many loops there are.
    package init(threads: Int) { self.init(MultiThreadedEventLoopGroup(numberOfThreads: threads)) }

    private init(_ group: any EventLoopGroup) {
        self.group = group
        let loops = Array(group.makeIterator())
        let executors = loops.map { EventLoopTaskExecutor($0) }
        self.executors = executors
        byLoop = Dictionary(uniqueKeysWithValues: zip(loops.map { ObjectIdentifier($0) }, executors))
    }

    /// Where what belongs to a loop's connections runs.
    func executor(of eventLoop: any EventLoop) -> (any TaskExecutor)? { byLoop[ObjectIdentifier(eventLoop)] }
}

/// Runs tasks on an event loop, so that a request that waits for nothing never leaves the thread that read it.
private final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }
}

enum Processors {
    /// How many processors this process may use, at most 8: an event loop each.
    static var available: Int {
        guard case .success(let bytes) = FileText.contents(of: "/proc/self/status") else { return 2 }
        for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: Array("Cpus_allowed:".utf8)) {
            let mask = String(decoding: line.dropFirst(13), as: UTF8.self)
            return min(max(mask.reduce(0) { $0 + ($1.hexDigitValue ?? 0).nonzeroBitCount }, 1), 8)
        }
        return 2
    }
}
