// The connections of all devices: in memory while they are used, in the database always. MSC4186.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle
import Synchronization

/// Finds and makes connections.
///
/// A connection is stored when it begins, before its first answer goes out; then within a minute after something changed, when memory gets
/// short, and when the server stops. So an answer costs no write. What a killed server has not stored is not lost: the client has at least
/// what is stored, and gets what came after it again.
package final class SlidingConnections: Sendable {
    private struct State {
        var connections: [ConnectionAddress: SlidingConnection] = [:]
        /// When connections were deleted last that nobody had used for long.
        var deletedAt: Timestamp?
    }

    private let database: any Database
    private let logger: Logger
    private let byteLimit: Int
    private let now: @Sendable () -> Timestamp
    private let state = Mutex(State())
    /// One at a time reads, stores or deletes a user's connections.
    private let queue = KeyedQueue<UserID>()
    private let tidying = Chore(after: SlidingConnections.storeDelay)
    package let requiredStates = RequiredStateTable()

    /// How many connections a device may have; those that were not used for longest end.
    package static let limitPerDevice = 16
    /// How long a connection outlives its last use, in milliseconds.
    package static let lifetime: Int64 = 7 * 24 * 60 * 60 * 1000
    /// How long a change may be in memory only.
    private static let storeDelay: Duration = .seconds(60)
    /// How often those are looked for that nobody uses any more, in milliseconds.
    private static let deletingInterval: Int64 = 60 * 60 * 1000
    /// How long a connection stays in memory after its last use, in milliseconds.
    private static let memoryLifetime: Int64 = 10 * 60 * 1000

    /// - Parameter byteLimit: about how much memory connections take that are not in use.
    package init(database: any Database, logger: Logger, byteLimit: Int = 64 << 20, now: @escaping @Sendable () -> Timestamp = { .now }) {
        self.database = database
        self.logger = logger
        self.byteLimit = byteLimit
        self.now = now
    }

    /// The connection that a position belongs to; nil where the server has lost it.
    func connection(_ address: ConnectionAddress, key: Int64) async throws -> SlidingConnection? {
        if let known = state.withLock({ $0.connections[address] }) { return known.key == key ? known : nil }
        return try await queue.run(address.user) {
            if let known = state.withLock({ $0.connections[address] }) { return known.key == key ? known : nil }
            let row = try await database.read { connection in
                try SlidingSyncStore.connection(address.user, address.device, address.name, on: connection)
            }
            guard let row, row.key == key, let history = ConnectionHistory(encoded: row.state, requiredStates) else { return nil }
            let connection = SlidingConnection(address, key: key, history: history, storedUseAt: row.usedAt, now: now())
            state.withLock { $0.connections[address] = connection }
            tidying.isNeeded()
            return connection
        }
    }

    /// Begins a connection with its first answer. One that had the same address ends.
    ///
    /// - Returns: the connection and the number of the answer, both durable.
    func begin(
        _ address: ConnectionAddress, with sent: [RoomNID: SentRoom], memo: ConnectionMemo?
    ) async throws -> (connection: Int64, number: Int64) {
        var history = ConnectionHistory()
        let number = history.answer(sent, from: 0) ?? 0
        let key = Int64.random(in: 1...(1 << 52))
        let connection = SlidingConnection(address, key: key, history: history, storedUseAt: now(), now: now())
        let row = SlidingConnectionRow(
            user: address.user, device: address.device, name: address.name, key: key, usedAt: now(), state: history.encoded)
        try await queue.run(address.user) {
            let ended = try await database.write { connection in
                try SlidingSyncStore.set(row, on: connection)
                return try SlidingSyncStore.deleteOldest(
                    of: address.device, of: address.user, keeping: SlidingConnections.limitPerDevice, on: connection)
            }
            connection.keep(memo, after: number)
            tidying.isNeeded()
            state.withLock { state in
                state.connections.updateValue(connection, forKey: address)?.close()
                for name in ended {
                    let other = ConnectionAddress(user: address.user, device: address.device, name: name)
                    state.connections.removeValue(forKey: other)?.close()
                }
            }
        }
        return (key, number)
    }

    // MARK: Storing

    /// Stores what changed.
    package func store() async {
        for connection in state.withLock({ Array($0.connections.values) }) { await store(connection) }
    }

    private func store(_ connection: SlidingConnection) async {
        do {
            try await queue.run(connection.address.user) {
                guard let row = connection.takeUnstored() else { return }
                do {
                    try await database.write { try SlidingSyncStore.update(row, on: $0) }
                } catch {
                    connection.didNotStore()
                    throw error
                }
            }
        } catch {
            logger.warning(
                "could not store what a connection was sent", metadata: ["user": "\(connection.address.user)", "error": "\(error)"])
        }
    }

    /// Lets go of connections that are not in use: of those that were idle for a while, and of more where memory is short.
    package func forgetIdle() async {
        let now = now()
        let connections = state.withLock { Array($0.connections.values) }.map { (connection: $0, usedAt: $0.usedAt, cost: $0.cost) }
        var cost = connections.reduce(0) { $0 + $1.cost }
        for entry in connections.sorted(by: { $0.usedAt < $1.usedAt }) {
            let idle = now.milliseconds(since: entry.usedAt)
            guard idle > SlidingConnections.memoryLifetime || cost > byteLimit else { break }
            await store(entry.connection)
            // In use again, or not stored: then it stays.
            let isGone = state.withLock { state in
                guard entry.connection.usedAt == entry.usedAt, !entry.connection.isUnstored else { return false }
                state.connections[entry.connection.address] = nil
                return true
            }
            if isGone { cost -= entry.cost }
        }
    }

    private func deleteExpired() async {
        let now = now()
        let isDue = state.withLock { state in
            if let last = state.deletedAt, now.milliseconds(since: last) < SlidingConnections.deletingInterval { return false }
            state.deletedAt = now
            return true
        }
        guard isDue else { return }
        let limit = now.advanced(byMilliseconds: -SlidingConnections.lifetime)
        do {
            try await database.write { try SlidingSyncStore.deleteUnused(before: limit, on: $0) }
        } catch {
            logger.warning("could not delete old connections", metadata: ["error": "\(error)"])
        }
    }
}

extension SlidingConnections: DeviceObserver {
    package func deleteRows(of device: DeviceID, user: UserID, on connection: any SQLConnection) throws {
        try SlidingSyncStore.delete(of: device, of: user, on: connection)
    }

    package func didDelete(_ devices: [DeviceID], of user: UserID) async {
        let devices = Set(devices)
        state.withLock { state in
            for (address, connection) in state.connections where address.user == user && devices.contains(address.device) {
                connection.close()
                state.connections[address] = nil
            }
        }
    }
}

extension SlidingConnections: Service {
    /// Stores and tidies up, while there are connections in memory, until the server stops; then stores everything.
    package func run() async throws {
        await deleteExpired()
        await tidying.run { [self] in
            await store()
            await forgetIdle()
            await deleteExpired()
            if state.withLock({ !$0.connections.isEmpty }) { tidying.isNeeded() }
        }
        await store()
    }
}
