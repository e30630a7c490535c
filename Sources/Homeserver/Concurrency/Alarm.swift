// Work that is due at times which it names itself.

import MatrixCore
import ServiceLifecycle

/// Has work done when it is due, and says after each time when to look again. Where nothing waits, no clock runs.
package struct Alarm: Sendable {
    private let wakeUps: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    /// After a failure it is tried again so soon.
    private static let retryPause: Int64 = 1000

    package init() {
        (wakeUps, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Something else is due, perhaps earlier. It may be told often.
    package func ring() { wakeUp.yield() }

    /// Works until the server stops, or the task is cancelled; the first time at once.
    ///
    /// - Parameters:
    ///   - work: does what is due, and returns when to look again; nil where nothing waits.
    ///   - report: is told why the work has failed.
    package func run(_ work: () async throws -> Timestamp?, onFailure report: (any Error) -> Void) async {
        var pending: Task<Void, Never>?
        ring()
        for await _ in wakeUps.cancelOnGracefulShutdown() {
            pending?.cancel()
            var next: Timestamp?
            do {
                next = try await work()
            } catch {
                report(error)
                next = Timestamp.now.advanced(byMilliseconds: Self.retryPause)
            }
            guard let next else { continue }
            let pause = Duration.milliseconds(max(0, next.milliseconds - Timestamp.now.milliseconds))
            pending = Task { [wakeUp] in
                // A cancelled one has a successor.
                guard (try? await Task.sleep(for: pause)) != nil else { return }
                wakeUp.yield()
            }
        }
        pending?.cancel()
    }
}
