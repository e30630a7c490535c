// How much other servers may ask of this one: `rc_federation`.

import MatrixCore
import ServerConfiguration

/// The decisions about one server's requests. Times in milliseconds on a clock that does not go back.
package struct OriginRequests: Sendable {
    package enum Decision: Sendable, Hashable {
        case run
        /// After this pause it comes to the end of the queue.
        case sleep(milliseconds: Int64)
        /// It runs when it is its turn.
        case wait
        case refuse(retryAfterMs: Int64)
    }

    private let limits: RateLimits.Federation
    /// When the requests of the last window came.
    private var times: [Int64] = []
    private var running = 0
    private var sleeping = 0
    package private(set) var waiting = 0

    package init(_ limits: RateLimits.Federation) {
        self.limits = limits
    }

    private var isIdle: Bool { running == 0 && sleeping == 0 && waiting == 0 }

    package func isForgettable(at now: Int64) -> Bool {
        isIdle && (times.last.map { now - $0 > Int64(limits.windowSize) } ?? true)
    }

    package mutating func arrive(at now: Int64) -> Decision {
        times.removeAll { now - $0 > Int64(limits.windowSize) }
        guard sleeping + waiting < limits.rejectLimit else {
            return .refuse(retryAfterMs: Int64(limits.windowSize / max(1, limits.sleepLimit)))
        }
        times.append(now)
        if times.count > limits.sleepLimit {
            sleeping += 1
            return .sleep(milliseconds: Int64(limits.sleepDelay))
        }
        return enter()
    }

    /// After its pause.
    package mutating func wake() -> Decision {
        sleeping -= 1
        return enter()
    }

    /// - Returns: whether the one that waits longest runs now.
    package mutating func finish() -> Bool {
        guard waiting > 0 else {
            running -= 1
            return false
        }
        waiting -= 1
        return true
    }

    private mutating func enter() -> Decision {
        guard running < max(1, limits.concurrent) else {
            waiting += 1
            return .wait
        }
        running += 1
        return .run
    }
}

/// Slows down servers that ask much, and refuses those that ask too much.
package actor FederationRateLimiter {
    private struct Origin {
        var requests: OriginRequests
        var queue: [CheckedContinuation<Void, Never>] = []
    }

    private let limits: RateLimits.Federation
    private var origins: [ServerName: Origin] = [:]
    private var sweepAt = 1024
    private let start = ContinuousClock.now

    package init(_ limits: RateLimits.Federation) {
        self.limits = limits
    }

    /// Runs `body` when it is its turn.
    ///
    /// - Throws: `M_LIMIT_EXCEEDED`, or what `body` throws.
    package nonisolated func run<T: Sendable>(_ origin: ServerName, _ body: @Sendable () async throws -> T) async throws -> T {
        try await enter(origin)
        do {
            let result = try await body()
            await leave(origin)
            return result
        } catch {
            await leave(origin)
            throw error
        }
    }

    private func enter(_ server: ServerName) async throws {
        sweep()
        var decision = origins[server, default: Origin(requests: OriginRequests(limits))].requests.arrive(at: now)
        if case .sleep(let pause) = decision {
            // Whoever goes away meanwhile still takes its turn, and is gone then.
            try? await Task.sleep(for: .milliseconds(pause))
            decision = origins[server]?.requests.wake() ?? .run
        }
        switch decision {
        case .refuse(let retryAfter): throw MatrixError.limitExceeded(retryAfterMs: retryAfter)
        case .wait: await withCheckedContinuation { origins[server]?.queue.append($0) }
        case .run, .sleep: break
        }
    }

    private func leave(_ server: ServerName) {
        guard origins[server]?.requests.finish() == true, origins[server]?.queue.isEmpty == false else { return }
        origins[server]?.queue.removeFirst().resume()
    }

    private var now: Int64 {
        let elapsed = (ContinuousClock.now - start).components
        return elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
    }

    /// Servers that ask nothing any more are forgotten.
    private func sweep() {
        guard origins.count >= sweepAt else { return }
        let now = now
        origins = origins.filter { !$0.value.requests.isForgettable(at: now) }
        sweepAt = max(1024, origins.count * 2)
    }
}
