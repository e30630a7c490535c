// How many people may use the server, and whether anybody may: Synapse's `limit_usage_by_mau` and `hs_disabled`.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration
import Synchronization

/// Turns people away for whom there is no place. Who is here is kept in memory, and in the database for the next start.
package final class UsageLimits: Sendable {
    private let options: UsageOptions
    private let database: any Database
    private let logger: Logger
    private let users: Mutex<MonthlyUsers>

    /// A user type that never counts.
    private static let uncountedType = "support"

    package init(_ options: UsageOptions, database: any Database, logger: Logger) {
        self.options = options
        self.database = database
        self.logger = logger
        users = Mutex(MonthlyUsers(limit: options.limitsMonthlyUsers ? options.monthlyUserLimit : nil))
    }

    /// Whether anybody is ever turned away.
    package var isLimiting: Bool { options.limitsMonthlyUsers || options.isServerDisabled }

    /// Whether the limits hold for whoever makes a request: application services are spared unless their users count.
    package func concerns(_ requester: Requester) -> Bool { isLimiting && (requester.service == nil || options.tracksServices) }

    /// Whether a user of an application service may have a session: as `check`, where such users count.
    ///
    /// - Throws: `M_RESOURCE_LIMIT_EXCEEDED`.
    package func checkUserOfService(_ user: UserID) async throws {
        if options.tracksServices { try await check(user) }
    }

    /// Whether it is noted who is here.
    package var isTracking: Bool { options.tracksMonthlyUsers }

    /// Whether it is noted that a user was here within a month.
    package func counts(_ user: UserID) -> Bool { users.withLock { $0.contains(user) } }

    /// Whether there is no place for another.
    package var isFull: Bool { options.limitsMonthlyUsers && users.withLock { !$0.hasRoom } }

    /// How many people were here within a month.
    package var monthlyUserCount: Int { users.withLock(\.count) }

    /// Whether a user may do something.
    ///
    /// - Throws: `M_RESOURCE_LIMIT_EXCEEDED`.
    package func check(_ user: UserID) async throws {
        guard isLimiting else { return }
        if !options.isServerDisabled {
            let hasPlace = users.withLock { $0.contains(user) || $0.hasRoom }
            if hasPlace { return }
        }
        let account = try await database.read { try AccountStore.account(user, on: $0) }
        if account?.userType == Self.uncountedType { return }
        if options.isServerDisabled { throw disabled }
        if let account, isOnTrial(account, at: .now) { return }
        throw full
    }

    /// Whether another account may be made.
    ///
    /// - Parameter proven: the addresses of who registers; some have a place reserved by one.
    package func checkRegistration(with proven: [ProvenThirdPartyID]) async throws {
        guard isLimiting else { return }
        if options.isServerDisabled { throw disabled }
        let reserved = reserved
        if proven.contains(where: { reserved.contains(.init(medium: $0.medium, address: $0.address)) }) { return }
        guard users.withLock(\.hasRoom) else { throw full }
    }

    /// Notes that users were here.
    package func note(_ active: Set<UserID>) async throws {
        guard isTracking, !active.isEmpty else { return }
        let now = Timestamp.now
        let unknown = users.withLock { users in active.filter { !users.contains($0) } }
        var (counted, ofServices) = (active.subtracting(unknown), Set<UserID>())
        for user in unknown {
            guard let account = try await database.read({ try AccountStore.account(user, on: $0) }) else { continue }
            if account.isGuest || account.userType == Self.uncountedType || isOnTrial(account, at: now) { continue }
            counted.insert(user)
            if account.service != nil { ofServices.insert(user) }
        }
        let (all, services) = (counted, ofServices)
        let noted = users.withLock { users in all.filter { users.note($0, isUserOfService: services.contains($0), at: now) } }
        guard !noted.isEmpty else { return }
        try await database.write { try MonthlyUserStore.put(noted.sorted(), at: now, on: $0) }
    }

    /// Reads who was here, and gives those with a reserved place theirs.
    package func restore() async throws {
        guard isTracking else { return }
        let stored = try await database.read { try MonthlyUserStore.users(on: $0) }
        users.withLock { $0 = MonthlyUsers(limit: options.limitsMonthlyUsers ? options.monthlyUserLimit : nil, stored) }
        let now = Timestamp.now
        let admitted = try await reservedUsers()
        users.withLock { users in for user in admitted { users.admit(user, at: now) } }
        try await database.write { try MonthlyUserStore.put(admitted.sorted(), at: now, on: $0) }
    }

    /// Forgets those who have been away for a month.
    package func reap() async throws {
        guard isTracking else { return }
        let reserved = try await reservedUsers()
        let gone = users.withLock { $0.reap(at: .now, keeping: reserved) }
        guard !gone.isEmpty else { return }
        try await database.write { try MonthlyUserStore.delete(gone, on: $0) }
    }

    // MARK: Steps

    private var reserved: Set<UsageOptions.ReservedThirdPartyID> {
        Set(
            options.reservedThirdPartyIDs.map {
                .init(medium: $0.medium, address: ThirdPartyIdentifiers.canonical($0.medium, $0.address))
            })
    }

    private func reservedUsers() async throws -> Set<UserID> {
        let reserved = reserved
        guard !reserved.isEmpty else { return [] }
        return try await database.read { connection in
            Set(try reserved.compactMap { try ThirdPartyStore.user($0.medium, $0.address, on: connection) })
        }
    }

    private func isOnTrial(_ account: AccountRow, at now: Timestamp) -> Bool {
        let days = account.service.flatMap { options.trialDaysOfServices[$0] } ?? options.trialDays
        return now.milliseconds - account.created.milliseconds < Int64(days) * 86_400 * 1000
    }

    private var disabled: MatrixError {
        .resourceLimitExceeded(options.disabledMessage, adminContact: options.adminContact, limitType: "hs_disabled")
    }

    /// What those are told for whom there is no place.
    var full: MatrixError {
        .resourceLimitExceeded(
            "Monthly Active User Limit Exceeded", adminContact: options.adminContact, limitType: "monthly_active_user")
    }
}
