// What may grow in memory, and how far: `caches` scaled to budgets in bytes, sized for a machine with 4 GB.

/// Budgets of the caches. `caches.global_factor` multiplies them, 0.5 (Synapse's default) being the values given here.
package struct Budgets: Sendable {
    /// Bytes of rendered events kept for readers.
    package var eventCacheBytes = 12 * 1024 * 1024
    /// Bytes of room state kept awake; a room asleep is read from the database when it is next used.
    package var roomStateBytes = 12 * 1024 * 1024
    /// Sessions whose access token is checked without the database.
    package var sessionCacheCount = 20_000
    /// Commits kept in memory for incremental syncs.
    package var recentCommitCount = 10_000
    /// Open HTTP connections over all listeners.
    package var connectionCount = 20_000
    /// `caches.sync_response_cache_duration`: how long the answer to a repeated sync is kept.
    package var syncResponseCacheDuration: Duration = .seconds(120)

    package init() {}

    /// The same budgets for another `global_factor`.
    package func scaled(by factor: Double) -> Budgets {
        func scale(_ value: Int) -> Int { max(64, Int((Double(value) * factor * 2).rounded())) }
        var scaled = self
        scaled.eventCacheBytes = scale(eventCacheBytes)
        scaled.roomStateBytes = scale(roomStateBytes)
        scaled.sessionCacheCount = scale(sessionCacheCount)
        scaled.recentCommitCount = scale(recentCommitCount)
        return scaled
    }
}
