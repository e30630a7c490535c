// The devices of other servers' users, followed as long as a room is shared with them. Server-Server API §Device Management.

import Federation
import Logging
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import Synchronization

/// Keeps the lists of devices and the cross-signing keys of users of other servers.
///
/// A list is fetched when somebody asks for it first, and followed from then on by what the user's server tells
/// (`RemoteDeviceLists+updates`). Where something of that was missed, the list is stale: a mark in the database that only a fetch takes away.
/// When no room is shared any more nothing is told any more, and the list is forgotten (`RemoteDeviceTracking`).
package final class RemoteDeviceLists: Sendable {
    struct State {
        /// The fetches under way, of which there is one for each user at most.
        var flights: [UserID: Flight] = [:]
        /// Those whose devices changed while they are being fetched: what comes may be from before.
        var overtaken: Set<UserID> = []
        /// The changes that were taken in lately.
        var seen = RecentCache<UserID, [ByteString]>(capacity: 10_000)
        /// The servers that wait for their stale lists to be fetched, or whose are; true: there are others since.
        var resyncing: [ServerName: Bool] = [:]
    }

    /// What comes of asking a server; nil for users whom it does not know.
    typealias Flight = Outcome<Result<[UserID: RemoteUserKeys], FederationFailure>>

    let database: any Database
    let journal: Journal
    let source: any RemoteKeySource
    let sharedRooms: SharedRooms
    let logger: Logger
    let state = Mutex(State())
    /// Decisions about one list are made one after the other.
    let changes = KeyedQueue<UserID>()
    /// Requests under way, of all lists.
    let slots = Slots(64)
    /// The servers whose stale lists are to be fetched.
    let resyncs = AsyncStream.makeStream(of: ServerName.self, bufferingPolicy: .bufferingOldest(1000))

    /// How many servers are asked at once for one answer, and how many times as long as one may take they may all take.
    static let serversAtOnce = 10
    private static let roundLimit = 6
    /// The Journal writes together what comes together.
    private static let writesAtOnce = 64
    /// How many users one request asks for.
    private static let batchLimit = 250
    /// For each try of a request.
    static let requestTimeout = Duration.seconds(10)

    package init(database: any Database, journal: Journal, source: any RemoteKeySource, sharedRooms: SharedRooms, logger: Logger) {
        self.database = database
        self.journal = journal
        self.source = source
        self.sharedRooms = sharedRooms
        self.logger = logger
    }

    /// The keys that were found, and the servers that could not be asked.
    package struct Answer: Sendable {
        /// In the order of their ids; those of whom nothing is known are not among them.
        package fileprivate(set) var users: [(user: UserID, devices: ArraySlice<DeviceKeysRow>)] = []
        package fileprivate(set) var crossSigningKeys: [CrossSigningKeyRow] = []
        package fileprivate(set) var failures: [(server: ServerName, reason: String)] = []
    }

    /// The keys of users of other servers: what is stored where it is known to be right, else what their servers say.
    ///
    /// - Parameters:
    ///   - wanted: each user once, with the wanted devices; none: all.
    ///   - timeout: for each of the servers; a fetch that takes longer goes on for those who ask next.
    package func keys(of wanted: [(user: UserID, devices: Set<DeviceID>)], timeout: Duration) async throws -> Answer {
        guard !wanted.isEmpty else { return Answer() }
        let stored = try await storedKeys(of: wanted)
        let missing = wanted.filter { !stored.fresh.contains($0.user) }
        var answer = Answer()
        answer.users = KeyQueryAnswer.devices(stored.devices, wanted: wanted.filter { stored.fresh.contains($0.user) })
        answer.crossSigningKeys = stored.crossSigningKeys
        guard !missing.isEmpty else { return answer }

        let followed = try await sharedRooms.known(missing.map(\.user))
        let fetched = Mutex(answer)
        let end = ContinuousClock.now + timeout * Self.roundLimit
        await Dictionary(grouping: missing, by: \.user.server).forEachConcurrently(limit: Self.serversAtOnce) { [self] server, users in
            let found = await within(min(timeout, end - .now)) { await self.ask(server, for: users, followed: followed) }
            fetched.withLock { $0.add(found ?? Findings(failure: Self.isLate(server)), of: server, wanted: users) }
        }
        answer = fetched.withLock { $0 }
        answer.users.sort { $0.user < $1.user }
        answer.failures.sort { $0.server < $1.server }
        return answer
    }

    // MARK: What is stored

    private func storedKeys(
        of wanted: [(user: UserID, devices: Set<DeviceID>)]
    ) async throws -> (fresh: Set<UserID>, devices: [DeviceKeysRow], crossSigningKeys: [CrossSigningKeyRow]) {
        let users = wanted.map(\.user)
        return try await database.read { connection in
            let fresh = try RemoteDeviceStore.lists(of: users, on: connection).filter { !$0.isStale }.map(\.user)
            guard !fresh.isEmpty else { return ([], [], []) }
            return (
                Set(fresh), try RemoteDeviceStore.devices(of: fresh, on: connection), try CrossSigningStore.keys(of: fresh, on: connection)
            )
        }
    }

    // MARK: Asking

    /// What comes of asking one server for some of its users.
    fileprivate struct Findings: Sendable {
        var keys: [UserID: RemoteUserKeys] = [:]
        var failure: FederationFailure?
    }

    /// Asks one server for some of its users: for all devices of those who are followed from then on, and for the others' wanted ones.
    private func ask(_ server: ServerName, for users: [(user: UserID, devices: Set<DeviceID>)], followed: Set<UserID>) async -> Findings {
        var flights = fetch(users.map(\.user).filter(followed.contains), at: server)
        let strangers = users.filter { !followed.contains($0.user) }.map { (user: $0.user, devices: Array($0.devices)) }
        if !strangers.isEmpty {
            let flight = Flight()
            Task { flight.resolve(await slots.run { await self.query(strangers, at: server) }) }
            flights.append(flight)
        }
        var findings = Findings()
        for flight in flights {
            switch await flight.value() {
            case .success(let keys): findings.keys.merge(keys) { $1 }
            case .failure(let reason): findings.failure = reason
            case nil: findings.failure = Self.isLate(server)
            }
        }
        return findings
    }

    private static func isLate(_ server: ServerName) -> FederationFailure { .unreachable(server, "no answer in time") }

    private func query(
        _ users: [(user: UserID, devices: [DeviceID])], at server: ServerName
    ) async -> Result<[UserID: RemoteUserKeys], FederationFailure> {
        do throws(FederationFailure) {
            let answer = try await source.queryKeys(users, at: server, timeout: Self.requestTimeout)
            let keys = users.compactMap { RemoteUserKeys(keysAnswer: answer, of: $0.user) }
            return .success(Dictionary(keys.map { ($0.user, $0) }) { $1 })
        } catch {
            return .failure(error)
        }
    }

    // MARK: Fetching

    /// Fetches the whole lists of some users of one server, and follows them from then on.
    ///
    /// - Returns: the fetches that bring them, some of which were under way.
    func fetch(_ users: [UserID], at server: ServerName) -> [Flight] {
        var flights: [ObjectIdentifier: Flight] = [:]
        var launched: [(flight: Flight, users: [UserID])] = []
        state.withLock { state in
            let new = users.filter { state.flights[$0] == nil }
            for user in users { if let flight = state.flights[user] { flights[ObjectIdentifier(flight)] = flight } }
            for start in stride(from: 0, to: new.count, by: Self.batchLimit) {
                let batch = Array(new[start..<min(start + Self.batchLimit, new.count)])
                let flight = Flight()
                for user in batch { state.flights[user] = flight }
                flights[ObjectIdentifier(flight)] = flight
                launched.append((flight, batch))
            }
        }
        for (flight, batch) in launched {
            // It belongs to all who wait for it, and goes on when they have gone.
            Task { await slots.run { await self.fly(flight, for: batch, at: server) } }
        }
        return Array(flights.values)
    }

    /// Asks for one user by the endpoint which names the last change too; for several by the one that does it in one request: their next
    /// change then makes the list stale once.
    private func fly(_ flight: Flight, for users: [UserID], at server: ServerName) async {
        let begun = journal.position
        let landed = await storedMeanwhile(users)
        let missing = users.filter { landed[$0] == nil }
        let outcome: Result<[UserID: RemoteUserKeys], FederationFailure> =
            if missing.isEmpty {
                .success([:])
            } else if missing.count == 1, let user = missing.first {
                await devices(of: user)
            } else {
                await query(missing.map { ($0, []) }, at: server)
            }
        await missing.forEachConcurrently(limit: Self.writesAtOnce) { [self] user in
            do {
                switch outcome {
                case .success(let keys): try await keep(keys[user], of: user, fetchedAt: begun)
                case .failure(let failure): try await noteFailure(failure, of: user)
                }
            } catch {
                logger.warning("could not store the devices of another server's user", metadata: ["user": "\(user)", "error": "\(error)"])
            }
        }
        state.withLock { state in
            for user in users {
                state.flights[user] = nil
                state.overtaken.remove(user)
            }
        }
        flight.resolve(outcome.map { $0.merging(landed) { $1 } })
    }

    /// The lists that an earlier fetch brought after the one who asks had looked for them, and before this fetch was begun.
    private func storedMeanwhile(_ users: [UserID]) async -> [UserID: RemoteUserKeys] {
        do {
            let stored = try await storedKeys(of: users.map { ($0, []) })
            let devices = Dictionary(grouping: stored.devices, by: \.user)
            let crossSigningKeys = Dictionary(grouping: stored.crossSigningKeys, by: \.user)
            let keys = stored.fresh.map {
                RemoteUserKeys(user: $0, stored: devices[$0] ?? [], crossSigningKeys: crossSigningKeys[$0] ?? [])
            }
            return Dictionary(keys.map { ($0.user, $0) }) { $1 }
        } catch {
            logger.warning("could not read the devices of other servers' users", metadata: ["error": "\(error)"])
            return [:]
        }
    }

    private func devices(of user: UserID) async -> Result<[UserID: RemoteUserKeys], FederationFailure> {
        do throws(FederationFailure) {
            let answer = try await source.devices(of: user, timeout: Self.requestTimeout)
            guard let keys = RemoteUserKeys(devicesAnswer: answer, of: user) else { throw .malformed("its list of devices is none") }
            return .success([user: keys])
        } catch {
            return .failure(error)
        }
    }
}

extension RemoteDeviceLists.Answer {
    fileprivate mutating func add(
        _ findings: RemoteDeviceLists.Findings, of server: ServerName, wanted: [(user: UserID, devices: Set<DeviceID>)]
    ) {
        if let failure = findings.failure { failures.append((server, failure.asKeyFailure)) }
        for (user, devices) in wanted {
            guard let keys = findings.keys[user] else { continue }
            users.append((user, (devices.isEmpty ? keys.devices : keys.devices.filter { devices.contains($0.device) })[...]))
            crossSigningKeys += keys.crossSigningKeys
        }
    }
}

extension FederationFailure {
    /// What a client is told in `failures`: what happened, not where this server's requests go.
    var asKeyFailure: String {
        switch self {
        case .notAllowed: "Federation denied"
        case .paused: "Not ready for retry"
        case .unreachable: "Failed to reach the server"
        case .answered(let error): "The server answered: \(error.status) \(error.errcode)"
        case .malformed, .tooLarge: "The server's answer makes no sense"
        }
    }
}
