// `retention`: how long messages are kept.

import MatrixCore

package struct RetentionConfiguration: Sendable {
    package var isEnabled = false
    /// `default_policy`: for rooms that say nothing themselves.
    package var minLifetime: Duration?
    package var maxLifetime: Duration?
    /// `allowed_lifetime_min` and `allowed_lifetime_max`: between them a room's own decision counts when messages are deleted.
    package var shortestAllowed: Duration?
    package var longestAllowed: Duration?
    /// `purge_jobs`; one a day for all rooms where none is named.
    package var purgeJobs: [PurgeJob] = []
    /// `experimental_features.msc1763_enabled`: clients may ask for the above.
    package var isTold = false
    /// `enable_ephemeral_messages`: messages may name a time at which their content goes.
    package var allowsSelfDestruction = false

    /// Deletes, now and then, the messages of rooms whose messages live longer than `longerThan` and at most `upTo`.
    package struct PurgeJob: Sendable, Equatable {
        package var interval: Duration = .seconds(86_400)
        package var longerThan: Duration?
        package var upTo: Duration?

        package init() {}
    }

    package init() {}

    package var defaultPolicy: RetentionPolicy {
        RetentionPolicy(minLifetime: minLifetime?.milliseconds, maxLifetime: maxLifetime?.milliseconds)
    }
}
