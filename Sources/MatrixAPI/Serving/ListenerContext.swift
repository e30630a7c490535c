// What the connections of one listener share.

import MatrixCore
import NIOCore
import Persistence
import ServerConfiguration
import Synchronization

/// Bounds on what a client may make us keep or wait for.
package struct ConnectionLimits: Sendable {
    /// Bytes of one header field, and of the request line.
    package var headerFieldBytes = 16 * 1024
    /// Bytes of all header fields together.
    package var headerBytes = 32 * 1024
    package var headerCount = 100
    /// How long a connection may wait for its next request. nginx closes idle upstream connections after 60 s: we wait longer, so that it
    /// never sends into a connection that we are closing.
    package var idleTimeout: TimeAmount = .seconds(75)
    /// How long a request may pause while it is sent.
    package var pauseTimeout: TimeAmount = .seconds(30)
    /// What a request or response may take in addition for each byte of its body: 2 KiB a second.
    package var slowestBytesPerSecond = 2048
    /// How much of a refused request is read, so that the client sees why before the connection closes.
    package var discardedBytes = 4 * 1024 * 1024
    package var discardTimeout: TimeAmount = .seconds(10)
    /// Deadlines are looked at at multiples of this: a thousand idle connections do not wake the server one by one.
    package var clockStep: TimeAmount = .seconds(5)

    package init() {}

    /// The time at which a deadline is looked at.
    func rounded(_ deadline: NIODeadline) -> NIODeadline {
        let step = UInt64(max(1, clockStep.nanoseconds))
        let (steps, rest) = deadline.uptimeNanoseconds.quotientAndRemainder(dividingBy: step)
        guard rest > 0, deadline != .distantFuture else { return deadline }
        return .uptimeNanoseconds((steps + 1) * step)
    }
}

package final class ListenerContext: Sendable {
    package let responder: any HTTPResponder
    let log: RequestLog
    let limits: ConnectionLimits
    let trustsForwarded: Bool
    let isTLS: Bool
    let compresses: Bool
    private let eventLoops: EventLoops

    /// The number of the last request, over all listeners.
    private static let lastRequest = Atomic<UInt64>(0)

    package init(
        _ listener: Listener, responder: any HTTPResponder, log: RequestLog, eventLoops: EventLoops, limits: ConnectionLimits = .init()
    ) {
        self.responder = responder
        self.log = log
        self.limits = limits
        trustsForwarded = listener.forwarded
        isTLS = listener.tls
        compresses = !listener.compressed.isEmpty
        self.eventLoops = eventLoops
    }

    static func nextRequestID() -> UInt64 { lastRequest.add(1, ordering: .relaxed).newValue }

    /// Where the work for a connection's requests runs.
    func executor(of eventLoop: any EventLoop) -> (any TaskExecutor)? { eventLoops.executor(of: eventLoop) }

    /// Answers a request, and times it where there is a log to write that to.
    func answer(_ request: APIRequest, _ endpoint: Endpoint, _ parameters: PathParameters) async -> Answer {
        guard log.isEnabled else {
            let answer = await responder.answer(request, endpoint, parameters)
            if let failure = answer.failure { log.writeFailure(request, failure) }
            return answer
        }
        let start = ContinuousClock.now
        let database = DatabaseTime()
        let answer = await DatabaseTime.$current.withValue(database) { await responder.answer(request, endpoint, parameters) }
        if let failure = answer.failure { log.writeFailure(request, failure) }
        log.write(request, answer, took: ContinuousClock.now - start, database: database.total, bytes: answer.response.length)
        return answer
    }
}
