// How often something may be done: a leaky bucket per key, with the meaning of Synapse's `rc_*` options.
// Client-Server API §Rate limiting.

/// Buckets for keys of one kind or several. Each action adds to its key's bucket, which leaks `perSecond`
/// actions every second; an action is refused where it would raise the bucket over `burst`.
///
/// Times are seconds on any clock that does not go back; the caller reads the clock.
package struct RateBuckets<Key: Hashable> {
    /// What was decided about an action.
    package enum Decision: Hashable {
        case allowed
        /// Refused; the same action will be allowed in this many seconds. Nil: never by itself.
        case refused(retryAfter: Double?)
    }

    /// The actions counted since the bucket was last known to be empty.
    private struct Bucket {
        var actions: Double
        var emptyAt: Double
        var perSecond: Double

        func level(at now: Double) -> Double { max(0, actions - (now - emptyAt) * perSecond) }
    }

    private var buckets: [Key: Bucket] = [:]
    private var sweepAt = 1024

    package init() {}

    /// How many keys have something in their bucket, or had it at the last sweep.
    package var count: Int { buckets.count }

    /// Decides about `cost` actions at once, and counts them if they are allowed and `isCounted`.
    package mutating func decide(
        _ key: Key, perSecond: Double, burst: Double, at now: Double, cost: Double = 1, isCounted: Bool = true
    ) -> Decision {
        var bucket = buckets[key] ?? Bucket(actions: 0, emptyAt: now, perSecond: perSecond)
        bucket.perSecond = perSecond
        let level = bucket.level(at: now)
        if level == 0 {
            bucket.actions = 0
            bucket.emptyAt = now
        }
        // Not `level + cost > burst`: a level a hair above a whole number would be rounded into it.
        if level > burst - cost {
            guard perSecond > 0, cost <= burst else { return .refused(retryAfter: nil) }
            return .refused(retryAfter: max(0, (level - (burst - cost)) / perSecond))
        }
        if isCounted {
            bucket.actions += cost
            buckets[key] = bucket
            if buckets.count >= sweepAt { sweep(at: now) }
        }
        return .allowed
    }

    /// Forgets the buckets that have leaked empty. Runs when their number has doubled, so its cost is a
    /// constant for each counted action.
    private mutating func sweep(at now: Double) {
        buckets = buckets.filter { $0.value.level(at: now) > 0 }
        sweepAt = max(1024, buckets.count * 2)
    }
}
