// What has to be done about accounts now and then: what is too old goes.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration
import ServiceLifecycle

/// Runs small jobs in the background, each at its own pace. A job that fails is tried again at its next time.
package struct AccountUpkeep: Service {
    private struct Job: Sendable {
        let name: String
        let interval: Duration
        let run: @Sendable () async throws -> Void
    }

    private let jobs: [Job]
    private let logger: Logger

    /// How many devices are deleted at once.
    private static let deviceBatch = 100

    package init(
        _ configuration: ServerConfiguration, database: any Database, interactive: InteractiveAuthentication, validation: EmailValidation?,
        phones: PhoneValidation?, sessions: SessionService, usage: UsageLimits, renewal: AccountRenewal?, logger: Logger
    ) {
        self.logger = logger
        var jobs = [
            Job(name: "sessions of interactive authentication", interval: .seconds(300)) { try await interactive.sweep() },
            Job(name: "monthly active users", interval: .seconds(3600)) { try await usage.reap() },
        ]
        if let validation {
            jobs.append(Job(name: "proofs of addresses", interval: .seconds(1800)) { try await validation.sweep() })
        }
        if let phones {
            jobs.append(Job(name: "proofs of telephone numbers", interval: .seconds(1800)) { try await phones.sweep() })
        }
        if let renewal {
            jobs.append(Job(name: "accounts that end", interval: .seconds(1800)) { try await renewal.tellThoseWhoseAccountsEnd() })
        }
        if let age = configuration.userIPsMaxAge {
            jobs.append(
                Job(name: "addresses of users", interval: .seconds(600)) {
                    let edge = Timestamp.now.advanced(byMilliseconds: -age.milliseconds)
                    try await database.write { try UserAddressStore.forget(before: edge, on: $0) }
                })
        }
        if let age = configuration.staleDeviceAge {
            jobs.append(
                Job(name: "devices that nobody uses", interval: .seconds(3600)) {
                    try await Self.deleteDevices(unusedFor: age, database: database, sessions: sessions)
                })
        }
        self.jobs = jobs
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                for job in jobs {
                    group.addTask {
                        while !Task.isCancelled {
                            await run(job)
                            do { try await Task.sleep(for: job.interval, tolerance: job.interval / 10) } catch { return }
                        }
                    }
                }
            }
        }
    }

    private func run(_ job: Job) async {
        do {
            try await job.run()
        } catch {
            if !Task.isCancelled { logger.warning("upkeep: \(job.name)", metadata: ["error": "\(error)"]) }
        }
    }

    private static func deleteDevices(unusedFor age: Duration, database: any Database, sessions: SessionService) async throws {
        let edge = Timestamp.now.advanced(byMilliseconds: -age.milliseconds)
        while !Task.isCancelled {
            let stale = try await database.read { try UserAddressStore.staleDevices(before: edge, limit: deviceBatch, on: $0) }
            for (user, devices) in Dictionary(grouping: stale, by: \.user) {
                try await sessions.deleteDevices(devices.map(\.device), of: user)
            }
            if stale.count < deviceBatch { return }
        }
    }
}
