// Which actions are limited, and the buckets of this process. Client-Server API §Rate limiting.

import MatrixCore
import Persistence
import ServerConfiguration
import Synchronization

/// A limited action, by the option of the configuration that sets its rate.
package enum RateLimitedAction: Hashable, Sendable {
    case message, registration, loginAddress, loginAccount, loginFailedAttempts
    case joinsLocal, joinsRemote, joinsPerRoom
    case invitesPerRoom, invitesPerUser, invitesPerIssuer, thirdPartyInvite
    case adminRedaction, keyRequests, mediaCreate, presencePerUser, delayedEventManagement, reports, roomCreation
    case userDirectory, roomHierarchy, loginToken, thirdPartyValidation, registrationTokenValidity, reauthenticationFailures
    case usernameAvailability, rendezvous
    /// Bytes.
    case remoteMediaBytes
    /// The beginning of a registration, with a password that has to be hashed.
    case registrationSession
}

/// Refuses what is done too often. The buckets are in memory: each process limits what passes through it, and a
/// restart empties them.
package final class RateLimiter: Sendable {
    private struct Key: Hashable {
        let action: RateLimitedAction
        let subject: ByteString
    }

    /// Said where no time would help: the configured rate is zero.
    private static let longestRetry: Double = 3600
    /// No option sets these; the first and the last are Synapse's.
    private static let roomHierarchy = RateLimit(5, 10)
    private static let usernameAvailability = RateLimit(1, 30)
    private static let loginToken = RateLimit(1.0 / 60, 1)
    /// Ours: whoever begins too many would push out those of others.
    private static let rendezvous = RateLimit(1, 20)

    /// Set while a request is answered for which no limits hold, whoever it is about.
    @TaskLocal package static var isSpared = false

    private let limits: RateLimits
    private let buckets = Mutex(RateBuckets<Key>())
    /// Users with limits of their own, by their ids.
    private let overrides = Mutex<[ByteString: RateLimitOverrideRow]>([:])
    private let start = ContinuousClock.now

    package init(_ limits: RateLimits) {
        self.limits = limits
    }

    /// Counts `cost` actions of `subject`: a user, an address, a room.
    ///
    /// - Parameters:
    ///   - isCounted: false only asks whether the action would be allowed.
    ///   - user: who acts, where that is not the subject: some have limits of their own.
    /// - Throws: `M_LIMIT_EXCEEDED` with the time to wait; nothing is counted then.
    package func check(
        _ action: RateLimitedAction, of subject: ByteString, cost: Int = 1, isCounted: Bool = true, by user: UserID? = nil
    ) throws(MatrixError) {
        guard !Self.isSpared, let limit = limit(of: action, for: user?.text ?? subject) else { return }
        let elapsed = (ContinuousClock.now - start).components
        let now = Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
        let decision = buckets.withLock {
            $0.decide(
                Key(action: action, subject: subject), perSecond: limit.perSecond, burst: Double(limit.burst), at: now,
                cost: Double(cost), isCounted: isCounted)
        }
        if case .refused(let retryAfter) = decision {
            let seconds = min(retryAfter ?? Self.longestRetry, Self.longestRetry)
            throw .limitExceeded(retryAfterMs: Int64((seconds * 1000).rounded(.up)))
        }
    }

    /// Whether moderators' redactions have a limit of their own.
    var hasRedactionLimit: Bool { limits.adminRedaction != nil }

    /// Counts an action that has already happened, such as a failed login, without refusing it.
    package func note(_ action: RateLimitedAction, of subject: ByteString, cost: Int = 1) {
        do throws(MatrixError) {
            try check(action, of: subject, cost: cost)
        } catch {
            // The bucket is full already: the next check will refuse.
        }
    }

    // MARK: Limits of one user

    /// Gives a user limits of their own, or those of everybody again.
    package func setOverride(_ override: RateLimitOverrideRow?, for user: UserID) {
        overrides.withLock { $0[user.text] = override }
    }

    /// The limit of an action of `actor`; nil where there is none. As in Synapse, a user's own limit that is none frees from all limits, and
    /// any other is one of messages.
    private func limit(of action: RateLimitedAction, for actor: ByteString) -> RateLimit? {
        guard let override = overrides.withLock({ $0.isEmpty ? nil : $0[actor] }) else { return limit(of: action) }
        guard override.messagesPerSecond > 0 else { return nil }
        return action == .message ? RateLimit(Double(override.messagesPerSecond), Int(override.burstCount)) : limit(of: action)
    }

    private func limit(of action: RateLimitedAction) -> RateLimit {
        switch action {
        case .message: limits.message
        case .registration: limits.registration
        case .loginAddress: limits.login.address
        case .loginAccount: limits.login.account
        case .loginFailedAttempts: limits.login.failedAttempts
        case .joinsLocal: limits.joins.local
        case .joinsRemote: limits.joins.remote
        case .joinsPerRoom: limits.joinsPerRoom
        case .invitesPerRoom: limits.invites.perRoom
        case .invitesPerUser: limits.invites.perUser
        case .invitesPerIssuer: limits.invites.perIssuer
        case .thirdPartyInvite: limits.thirdPartyInvite
        case .adminRedaction: limits.adminRedaction ?? limits.message
        case .keyRequests: limits.keyRequests
        case .mediaCreate: limits.mediaCreate
        case .remoteMediaBytes: limits.remoteMediaBytes
        case .presencePerUser: limits.presencePerUser
        case .delayedEventManagement: limits.delayedEventManagement
        case .reports: limits.reports
        case .roomCreation: limits.roomCreation
        case .userDirectory: limits.userDirectory
        case .roomHierarchy: Self.roomHierarchy
        case .thirdPartyValidation: limits.thirdPartyValidation
        case .registrationTokenValidity: limits.registrationTokenValidity
        case .reauthenticationFailures: limits.login.failedAttempts
        case .usernameAvailability: Self.usernameAvailability
        case .registrationSession: RateLimit(limits.registration.perSecond * 10, limits.registration.burst * 10)
        case .loginToken: Self.loginToken
        case .rendezvous: Self.rendezvous
        }
    }
}
