// Tasks on the threads of connections.

import MatrixCore
import NIOCore
import NIOPosix

/// Runs tasks on the thread of an event loop. What mostly sends requests and waits for answers runs where its connection is: a request and
/// its answer then take no turn on another thread. Such a task must not compute for long.
package final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    private init(_ loop: any EventLoop) {
        self.loop = loop
    }

    private static let all: [LoopExecutor] = MultiThreadedEventLoopGroup.singleton.makeIterator().map { LoopExecutor($0) }

    /// One for each server, always the same.
    package static func executor(for server: ServerName) -> LoopExecutor {
        all[Int(UInt(bitPattern: server.hashValue) % UInt(all.count))]
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
