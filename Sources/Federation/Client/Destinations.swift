// Which servers do not answer, over restarts.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration
import Synchronization

/// Keeps the back-off of each server, in memory and in the database.
package actor Destinations {
    private let database: any Database
    private let retries: FederationConfiguration.Retries
    private let logger: Logger
    /// Changed by the actor only; who asks about a server that is known to answer need not wait for it.
    private nonisolated let known = Mutex(RecentCache<ServerName, DestinationBackoff>(capacity: 20_000))
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
    package nonisolated func pausedUntil(_ server: ServerName) async throws -> Timestamp? {
        let backoff = if let known = remembered(server) { known } else { try await backoff(of: server) }
        return backoff.pausedUntil(at: .now)
    }

    /// What a request has shown. A server that asks something of us answers, too.
    package nonisolated func note(_ health: ServerHealth, of server: ServerName) async throws {
        // As nearly always.
        if health == .answers, let known = remembered(server), known.failure == nil { return }
        try await change(by: health, of: server)
    }

    private nonisolated func remembered(_ server: ServerName) -> DestinationBackoff? { known.withLock { $0.value(for: server) } }

    private func change(by health: ServerHealth, of server: ServerName) async throws {
        _ = try await backoff(of: server)
        // Read again: another request may have been noted meanwhile.
        var backoff = remembered(server) ?? DestinationBackoff()
        guard backoff.note(health, at: .now, retries) else { return }
        let noted = backoff
        known.withLock { $0.insert(noted, for: server) }
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
        if let backoff = remembered(server) { return backoff }
        let stored = try await database.read { try DestinationStore.failure(of: server, on: $0) }
        if let backoff = remembered(server) { return backoff }
        let backoff = DestinationBackoff(stored)
        known.withLock { $0.insert(backoff, for: server) }
        return backoff
    }
}
