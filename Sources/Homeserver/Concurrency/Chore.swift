// Work that follows some time after its reason, for all reasons of that time at once.

import ServiceLifecycle

/// Something that is tidied up or stored now and then, but only after there was a reason: a server that nobody uses sleeps, and no clock
/// wakes it.
package struct Chore: Sendable {
    private let delay: Duration
    private let requests: AsyncStream<Void>
    private let request: AsyncStream<Void>.Continuation

    /// - Parameter delay: from the first reason to the work.
    package init(after delay: Duration) {
        self.delay = delay
        (requests, request) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// There is a reason. It may be told often.
    package func isNeeded() { request.yield() }

    /// Works until the server stops, or the task is cancelled.
    package func run(_ work: @escaping @Sendable () async -> Void) async {
        await cancelWhenGracefulShutdown {
            for await _ in requests {
                do { try await Task.sleep(for: delay) } catch { return }
                await work()
            }
        }
    }
}
