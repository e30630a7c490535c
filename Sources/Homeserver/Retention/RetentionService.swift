// Deletes messages that have outlived what rooms and the operator allow: the purge jobs of `retention`. MSC1763, as Synapse does it.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import ServiceLifecycle

/// What is too old is shown to nobody at once (`RetentionRules`); here it goes from the database, some time later.
package struct RetentionService: Service {
    private let options: RetentionConfiguration
    private let rules: RetentionRules
    private let database: any Database
    private let rooms: RoomRegistry
    private let events: EventReader
    private let purge: MessagePurge
    private let logger: Logger

    /// Rooms that are looked at in one go.
    private static let pageLimit = 200

    package init(options: RetentionConfiguration, rules: RetentionRules, groundwork: Homeserver.Groundwork, logger: Logger) {
        self.options = options
        self.rules = rules
        database = groundwork.database
        rooms = groundwork.rooms
        events = groundwork.events
        purge = MessagePurge(environment: groundwork.rooms.environment)
        self.logger = logger
    }

    /// Works off each job at its interval, until the server stops.
    package func run() async throws {
        guard options.isEnabled else { return try await gracefulShutdown() }
        let jobs = options.purgeJobs.isEmpty ? [RetentionConfiguration.PurgeJob()] : options.purgeJobs
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for job in jobs {
                    group.addTask {
                        while (try? await Task.sleep(for: job.interval)) != nil { await carryOut(job) }
                    }
                }
            }
        }
    }

    /// Deletes what is over in the rooms that a job is for. What fails is tried again at the next time.
    package func carryOut(_ job: RetentionConfiguration.PurgeJob, now: Timestamp = .now) async {
        var last = RoomNID(0)
        do {
            while !Task.isCancelled {
                let after = last
                let page = try await database.read { try RetentionStore.rooms(after: after, limit: Self.pageLimit, on: $0) }
                for room in page {
                    guard let lifetime = try await lifetime(in: room, for: job) else { continue }
                    let count = try await purge.purge(room.nid, sentBefore: now.advanced(byMilliseconds: -lifetime))
                    if count > 0 { logger.info("old messages were deleted", metadata: ["room": "\(room.id)", "count": "\(count)"]) }
                }
                guard let end = page.last?.nid, page.count == Self.pageLimit else { return }
                last = end
            }
        } catch {
            logger.warning("old messages could not be deleted, will try again", metadata: ["error": "\(error)"])
        }
    }

    /// How long messages live in a room, in milliseconds, when they are deleted; nil where the job is not for it.
    private func lifetime(in room: RetentionStore.Room, for job: RetentionConfiguration.PurgeJob) async throws -> Int64? {
        var own: RetentionPolicy?
        if let nid = room.policy { own = RetentionPolicy(content: try await events.event(nid)?.contentIfReadable) }
        guard var lifetime = own?.maxLifetime ?? rules.standard.maxLifetime else { return nil }
        if let limit = job.longerThan?.milliseconds, lifetime <= limit { return nil }
        if let limit = job.upTo?.milliseconds, lifetime > limit { return nil }
        if let least = options.shortestAllowed?.milliseconds { lifetime = max(lifetime, least) }
        if let most = options.longestAllowed?.milliseconds { lifetime = min(lifetime, most) }
        return lifetime
    }
}
