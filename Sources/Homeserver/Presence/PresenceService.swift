// Presence: what clients do, and who is told. Client-Server API §Presence.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import ServiceLifecycle
import Synchronization

/// Keeps who is there in memory, tells changes through the commit stream, and stores them every minute: a sync writes nothing.
package final class PresenceService: Sendable {
    /// Whether presence is shown at all, and whether this server finds it out by itself (`presence.enabled`).
    package let mode: PresenceMode
    /// Whether those who are not there are in an initial sync too.
    package let includesOfflineUsers: Bool
    /// Rooms that do not make their members see each other's presence.
    package let excludedRooms: Set<RoomID>

    private let database: any Database
    private let journal: Journal
    private let serverName: ServerName
    private let logger: Logger
    let now: @Sendable () -> Timestamp
    let board: Mutex<PresenceBoard>
    private let clock: Chore

    private static let saveInterval: Int64 = 60_000
    /// How long a status message may be, in UTF-8 bytes.
    package static let statusMessageLimit = 2048

    package init(
        configuration: PresenceConfiguration, database: any Database, journal: Journal, serverName: ServerName, logger: Logger,
        now: @escaping @Sendable () -> Timestamp = { .now }
    ) {
        mode = configuration.mode
        includesOfflineUsers = configuration.includesOfflineUsersOnSync
        excludedRooms = configuration.excludedRooms
        self.database = database
        self.journal = journal
        self.serverName = serverName
        self.logger = logger
        self.now = now
        var timings = PresenceBoard.Timings()
        timings.idle = configuration.idleTimeout.milliseconds
        timings.syncOnline = configuration.syncOnlineTimeout.milliseconds
        timings.activeGranularity = configuration.lastActiveGranularity.milliseconds
        clock = Chore(after: min(.seconds(5), configuration.syncOnlineTimeout / 2, configuration.lastActiveGranularity / 2))
        board = Mutex(PresenceBoard(timings: timings))
    }

    package var isShown: Bool { mode != .disabled }
    private var isTracked: Bool { mode == .enabled }

    // MARK: What clients do

    /// Runs a sync of any kind, during which the user's device is in this state. One that shows it as offline is not noted at all, nor is
    /// one that comes too soon after another (`rc_presence`).
    package func whileSyncing<T: Sendable>(
        _ requester: Requester, as state: PresenceState, limits: RateLimiter, _ body: () async throws -> T
    ) async throws -> T {
        guard isTracked, state != .offline, isWithin(limits, requester.user) else { return try await body() }
        try await beginSync(requester.user, requester.device, as: state)
        defer { endSync(requester.user, requester.device) }
        return try await body()
    }

    private func isWithin(_ limits: RateLimiter, _ user: UserID) -> Bool {
        do throws(MatrixError) {
            try limits.check(.presencePerUser, of: user.text)
            return true
        } catch {
            return false
        }
    }

    /// A sync begins that shows its device in this state; `endSync` must follow.
    package func beginSync(_ user: UserID, _ device: DeviceID?, as state: PresenceState) async throws {
        guard isTracked else { return }
        try await learn(user)
        let time = now().milliseconds
        if change({ $0.beginSync(user, device, as: state, now: time) }) { await publish(user) }
    }

    package func endSync(_ user: UserID, _ device: DeviceID?) {
        guard isTracked else { return }
        let time = now().milliseconds
        change { $0.endSync(user, device, now: time) }
    }

    /// PUT /presence/{userId}/status.
    ///
    /// - Throws: `M_INVALID_PARAM` for a message that is too long or cannot be stored.
    package func set(_ user: UserID, _ device: DeviceID?, to state: PresenceState, message: String?) async throws {
        if let message, message.utf8.count > Self.statusMessageLimit || message.utf8.contains(0) {
            throw MatrixError.invalidParam("status_msg is too long or has a character that cannot be stored")
        }
        guard isTracked else { return }
        try await learn(user)
        let time = now().milliseconds
        if change({ $0.set(user, device, to: state, message: message, now: time) }) { await publish(user) }
    }

    /// The user did something that shows that they are there, such as sending a message or reading one.
    package func noteActivity(_ user: UserID, _ device: DeviceID?) async {
        guard isTracked else { return }
        let time = now().milliseconds
        if change({ $0.noteActivity(user, device, now: time) }) { await publish(user) }
    }

    /// Changes the board, and has the clock looked at again where it was not needed any more.
    func change<T: Sendable>(_ body: (inout PresenceBoard) -> T) -> T {
        let (result, isAwake) = board.withLock { board in
            let wasResting = board.isResting
            let result = body(&board)
            return (result, wasResting && !board.isResting)
        }
        if isAwake { clock.isNeeded() }
        return result
    }

    /// Tells the readers. The board knows the position before any of them hears of it.
    func publish(_ user: UserID) async {
        await journal.publishTransient { [self] position in
            board.withLock { $0.notePublished(user, at: position) }
            return Change(position: position, kind: .presence(user: user))
        }
    }

    // MARK: Looking

    /// The presence of a user, whoever asks.
    package func presence(of user: UserID) async throws -> UserPresence {
        guard isShown else { return UserPresence() }
        return try await presences(of: [user]).first?.presence ?? UserPresence()
    }

    /// The presences of these users; of those of whom nothing is known that they are offline.
    package func presences(of users: [UserID]) async throws -> [(user: UserID, presence: UserPresence)] {
        let known = board.withLock { $0.presences(of: users) }
        let missing = users.filter { known[$0] == nil }
        var stored: [UserID: UserPresence] = [:]
        if !missing.isEmpty {
            for row in try await database.read({ try PresenceStore.rows(of: missing, on: $0) }) { stored[row.user] = UserPresence(row) }
        }
        return users.map { ($0, known[$0] ?? stored[$0]?.asOffline ?? UserPresence()) }
    }

    /// Those who are there.
    package var present: [UserID] { board.withLock { $0.present } }

    /// Those whose presence changed after `position`, however long ago that is; at most some thousand of them.
    package func changed(after position: StreamPosition) async throws -> Set<UserID> {
        let limit = 5000
        let stored = try await database.read { try PresenceStore.users(changedAfter: position, limit: limit, on: $0) }
        return Set(stored).union(board.withLock { $0.changed(after: position) })
    }

    /// Whether `viewer` may see the presence of `user`: those may who share a room.
    package func isVisible(_ user: UserID, to viewer: UserID) async throws -> Bool {
        if user == viewer { return true }
        return try await !sharingRoom(with: viewer, among: [user]).isEmpty
    }

    /// Those of `candidates` who share a room with `viewer`, by the database.
    package func sharingRoom(with viewer: UserID, among candidates: [UserID]) async throws -> [UserID] {
        guard !candidates.isEmpty else { return [] }
        let (excluded, name) = (excludedRooms, serverName)
        let local = candidates.filter { $0.belongs(to: name) }
        let remote = local.count == candidates.count ? [] : candidates.filter { !$0.belongs(to: name) }
        return try await database.read { connection in
            var sharing: [UserID] = []
            if !local.isEmpty { sharing += try PresenceStore.sharingRoom(with: viewer, among: local, except: excluded, on: connection) }
            if !remote.isEmpty {
                sharing += try SharedRoomStore.companions(of: viewer, among: remote, except: excluded, on: connection)
            }
            return sharing
        }
    }

    // MARK: Keeping

    /// Takes over what is stored of a user who is not known.
    private func learn(_ user: UserID) async throws {
        guard !board.withLock({ $0.isKnown(user) }) else { return }
        let row = try await database.read { try PresenceStore.rows(of: [user], on: $0) }.first
        let time = now().milliseconds
        guard let row else { return }
        change { $0.restore(user, UserPresence(row).asOffline, now: time) }
    }

    /// Takes over who was there when the server stopped: they have some time to come back. To be called before anybody syncs.
    package func restore() async throws {
        guard isTracked else { return }
        let rows = try await database.read { try PresenceStore.present(on: $0) }
        let time = now().milliseconds
        board.withLock { board in
            for row in rows {
                if row.user.belongs(to: serverName) {
                    board.restore(row.user, UserPresence(row), now: time)
                } else {
                    board.restoreRemote(row.user, UserPresence(row), now: time)
                }
            }
        }
    }

    /// Stores what changed.
    package func save() async {
        let time = now().milliseconds
        let rows = board.withLock { $0.takeUnsaved(now: time) }
        guard !rows.isEmpty else { return }
        do {
            try await database.write { try PresenceStore.set(rows, on: $0) }
        } catch {
            board.withLock { $0.putBack(rows) }
            logger.warning("could not store presence, will try again", metadata: ["error": "\(error)"])
        }
    }
}

extension UserPresence {
    /// Of somebody who is not known in memory, whatever was stored last.
    fileprivate var asOffline: UserPresence {
        var presence = self
        presence.state = .offline
        return presence
    }
}

extension PresenceService: Service {
    /// Follows the clock, and the events that users send.
    package func run() async throws {
        guard isTracked else { return try await gracefulShutdown() }
        let commits = journal.commits.from(journal.position)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                await cancelWhenGracefulShutdown { [self] in
                    for await commit in commits { await follow(commit) }
                }
            }
            group.addTask { [self] in await followClock() }
            await group.waitForAll()
        }
        await save()
    }

    /// Looks at the clock every few seconds, while there is somebody for whom it may change something.
    private func followClock() async {
        let savedAt = Mutex(now().milliseconds)
        clock.isNeeded()
        await clock.run { [self] in
            await check()
            let time = now().milliseconds
            let isSavingDue = savedAt.withLock { last in
                guard time - last >= Self.saveInterval else { return false }
                last = time
                return true
            }
            if isSavingDue { await save() }
            if board.withLock({ !$0.isResting }) { clock.isNeeded() }
        }
    }

    /// Carries out what the clock makes due.
    package func check() async {
        let time = now().milliseconds
        for user in board.withLock({ $0.check(now: time) }) { await publish(user) }
    }

    private func follow(_ commit: Commit) async {
        for change in commit.changes {
            switch change.kind {
            case .event(let event) where event.sender.belongs(to: serverName):
                await noteActivity(event.sender, event.transaction?.device)
            case .receipt(_, let user) where user.belongs(to: serverName):
                await noteActivity(user, nil)
            default: continue
            }
        }
    }
}
