// The `rc_*` options: token buckets with Synapse's defaults.

/// How often something may be done: `perSecond` in the long run, `burst` at once.
package struct RateLimit: Sendable, Hashable {
    package var perSecond: Double
    package var burst: Int

    package init(_ perSecond: Double, _ burst: Int) {
        self.perSecond = perSecond
        self.burst = burst
    }
}

package struct RateLimits: Sendable {
    package struct Login: Sendable {
        package var address = RateLimit(0.003, 5)
        package var account = RateLimit(0.003, 5)
        package var failedAttempts = RateLimit(0.17, 3)
    }

    package struct Joins: Sendable {
        package var local = RateLimit(0.1, 10)
        package var remote = RateLimit(0.01, 10)
    }

    package struct Invites: Sendable {
        package var perRoom = RateLimit(0.3, 10)
        package var perUser = RateLimit(0.003, 5)
        package var perIssuer = RateLimit(0.3, 10)
    }

    /// `rc_federation`: milliseconds and counts for each remote server.
    package struct Federation: Sendable {
        package var windowSize = 1000
        package var sleepLimit = 10
        package var sleepDelay = 500
        package var rejectLimit = 50
        package var concurrent = 3
    }

    package var message = RateLimit(0.2, 10)
    package var registration = RateLimit(0.17, 3)
    package var registrationTokenValidity = RateLimit(0.1, 5)
    package var login = Login()
    /// nil: redactions by administrators count as messages.
    package var adminRedaction: RateLimit?
    package var joins = Joins()
    package var joinsPerRoom = RateLimit(1, 10)
    package var keyRequests = RateLimit(20, 100)
    package var thirdPartyValidation = RateLimit(0.003, 5)
    package var invites = Invites()
    package var thirdPartyInvite = RateLimit(0.0025, 5)
    package var mediaCreate = RateLimit(10, 50)
    /// `remote_media_download_per_second` and `remote_media_download_burst_count`: bytes of other servers' media, for each address of a client.
    package var remoteMediaBytes = RateLimit(87 * 1024, 500 << 20)
    package var presencePerUser = RateLimit(0.1, 1)
    package var delayedEventManagement = RateLimit(1, 5)
    package var reports = RateLimit(1, 5)
    package var roomCreation = RateLimit(0.016, 10)
    package var userDirectory = RateLimit(0.016, 200)
    package var federation = Federation()

    package init() {}
}
