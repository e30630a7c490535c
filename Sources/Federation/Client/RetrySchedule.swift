// When a request is tried again, and when a server is.

import MatrixCore
import Persistence
import ServerConfiguration

/// The pauses between the tries of one request. With the meaning of Synapse's `max_short_retries` and what belongs to it.
package struct RetrySchedule: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// Once only.
        case none
        /// Somebody waits: a few times within seconds.
        case short
        /// Nobody waits: for minutes.
        case long
    }

    package let kind: Kind
    private let limit: Int
    private let longest: Duration
    private var tries = 0

    package init(_ kind: Kind, _ retries: FederationConfiguration.Retries) {
        self.kind = kind
        limit =
            switch kind {
            case .none: 0
            case .short: retries.shortRetryCount
            case .long: retries.longRetryCount
            }
        longest = kind == .long ? retries.longestLongDelay : retries.longestShortDelay
    }

    /// The pause before the next try; nil: that was the last one.
    ///
    /// - Parameter jitter: 0.8…1.4, so that those who failed together do not come back together.
    package mutating func next(jitter: Double = .random(in: 0.8...1.4)) -> Duration? {
        guard tries < limit else { return nil }
        tries += 1
        let exponent = min(tries - 1, 20)
        let pause: Duration = kind == .long ? .seconds(4) * (1 << (2 * min(exponent, 10))) : .milliseconds(500) * (1 << exponent)
        return min(pause, longest) * jitter
    }
}

/// What the outcome of a request says about the server.
package enum ServerHealth: Sendable, Hashable {
    case answers
    /// It does not answer, or not to us: it is left alone for a while.
    case fails

    /// - Parameter status: of the answer to the last try; nil where there was none.
    package init(status: Int?, isEndpointRequired: Bool = false) {
        guard let status else {
            self = .fails
            return
        }
        switch status {
        // Those who refuse our signature will for some time.
        case 401, 429: self = .fails
        // A name under which there is no homeserver any more, where every one has the endpoint.
        case 404: self = isEndpointRequired ? .fails : .answers
        default: self = status < 500 ? .answers : .fails
        }
    }
}

/// How long a server has not answered. Each failed try after a pause makes the pause longer.
package struct DestinationBackoff: Sendable, Hashable {
    package private(set) var failure: DestinationRow?

    package init(_ failure: DestinationRow? = nil) {
        self.failure = failure
    }

    /// Until when the server is left alone; nil: it is asked.
    package func pausedUntil(at now: Timestamp) -> Timestamp? {
        guard let failure else { return nil }
        let until = failure.lastTry.advanced(byMilliseconds: failure.retryInterval)
        return now < until ? until : nil
    }

    /// - Returns: whether this changed anything.
    package mutating func note(
        _ health: ServerHealth, at now: Timestamp, _ retries: FederationConfiguration.Retries, jitter: Double = .random(in: 0.8...1.4)
    ) -> Bool {
        switch health {
        case .answers:
            defer { failure = nil }
            return failure != nil
        case .fails:
            // Those that were under way when the pause began do not make it longer.
            guard pausedUntil(at: now) == nil else { return false }
            let longer = failure.map { Double($0.retryInterval) * Double(retries.destinationMultiplier) * jitter }
            let interval = min(longer ?? retries.destinationMinimum.inMilliseconds, retries.destinationMaximum.inMilliseconds)
            failure = DestinationRow(failedSince: failure?.failedSince ?? now, lastTry: now, retryInterval: Int64(interval))
            return true
        }
    }
}

extension Duration {
    var inMilliseconds: Double { Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15 }
}
