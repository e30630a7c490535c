// Rate limits of single users, as administrators set them: Synapse's `override_ratelimit`.

import MatrixCore
import Persistence

/// Keeps the overrides in the database, and has the limiter know them.
package struct RateLimitOverrides: Sendable {
    private let database: any Database
    private let limiter: RateLimiter

    package init(database: any Database, limiter: RateLimiter) {
        self.database = database
        self.limiter = limiter
    }

    /// Reads what is stored.
    package func restore() async throws {
        for (user, override) in try await database.read({ try RateLimitStore.overrides(on: $0) }) {
            limiter.setOverride(override, for: user)
        }
    }

    package func override(for user: UserID) async throws -> RateLimitOverrideRow? {
        try await database.read { try RateLimitStore.overrides(on: $0)[user] }
    }

    package func set(_ override: RateLimitOverrideRow, for user: UserID) async throws {
        try await database.write { try RateLimitStore.put(override, of: user, on: $0) }
        limiter.setOverride(override, for: user)
    }

    package func remove(for user: UserID) async throws {
        try await database.write { try RateLimitStore.delete(of: user, on: $0) }
        limiter.setOverride(nil, for: user)
    }
}
