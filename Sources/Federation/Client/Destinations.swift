// Which servers do not answer, over restarts.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Keeps the back-off of each server, in memory and in the database.
package actor Destinations {
    private let database: any Database
    private let retries: FederationConfiguration.Retries
    private let logger: Logger
    private var known = RecentCache<ServerName, DestinationBackoff>(capacity: 20_000)
    private var listener: (@Sendable (ServerName) -> Void)?

    package init(database: any Database, retries: FederationConfiguration.Retries, logger: Logger) {
        self.database = database
        self.retries = retries
        self.logger = logger
    }

    /// - Parameter listener: is told of each server that answers again.
    package func onReturn(_ listener: @escaping @Sendable (ServerName) -> Void) {
        self.listener = listener
    }

    /// Until when a server is left alone; nil: it is asked.
    package func pausedUntil(_ server: ServerName) async throws -> Timestamp? {
        try await backoff(of: server).pausedUntil(at: .now)
    }

    /// What a request has shown. A server that asks something of us answers, too.
    package func note(_ health: ServerHealth, of server: ServerName) async throws {
        _ = try await backoff(of: server)
        // Read again: another request may have been noted meanwhile.
        var backoff = known.value(for: server) ?? DestinationBackoff()
        guard backoff.note(health, at: .now, retries) else { return }
        known.insert(backoff, for: server)
        let failure = backoff.failure
        if let failure {
            logger.info("a server does not answer", metadata: ["server": "\(server)", "pause": "\(failure.retryInterval) ms"])
        } else {
            logger.info("a server answers again", metadata: ["server": "\(server)"])
        }
        try await database.write { try DestinationStore.setFailure(failure, of: server, on: $0) }
        if failure == nil { listener?(server) }
    }

    private func backoff(of server: ServerName) async throws -> DestinationBackoff {
        if let backoff = known.value(for: server) { return backoff }
        let stored = try await database.read { try DestinationStore.failure(of: server, on: $0) }
        if let backoff = known.value(for: server) { return backoff }
        let backoff = DestinationBackoff(stored)
        known.insert(backoff, for: server)
        return backoff
    }
}
