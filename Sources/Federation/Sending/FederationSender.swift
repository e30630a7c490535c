// Everything that this server tells other servers of its own accord. Server-Server API §Transactions.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import ServiceLifecycle

/// Reads the commit stream and puts what concerns other servers into the queues of their `Destination`s.
///
///     commit stream ──> FederationSender ──> DestinationRegistry ──> Destination (one per server that is told something)
///                       (who gets what)      (who is told,              │ transactions
///                             │               who does not answer)      v
///                       SendingLedger                                other server
///                       (what is known over a restart)
///
/// The present is sent as it comes. The past, that is what was not sent before the last start, or not to a server that did not answer, is
/// sent by catching up (`StoredBacklog`).
package actor FederationSender: Service {
    nonisolated let environment: Environment
    nonisolated let registry: DestinationRegistry
    nonisolated let ledger: SendingLedger
    nonisolated let deviceUpdates: DeviceUpdates
    var roomServers: RoomServers
    var typing = TypingNews()
    /// The servers that share a room with a user, as far as nobody came or went since.
    var companions = RecentCache<UserID, [ServerName]>(capacity: 2000)
    /// Events up to here happened before this start.
    var startPosition = StreamPosition.zero
    /// Tells the clock that there may be something for it.
    private let stirs: AsyncStream<Void>
    let stir: AsyncStream<Void>.Continuation
    /// Until when the servers are left alone that did not answer before this start.
    private var pauses: [ServerName: Timestamp] = [:]

    /// What the sender stands on.
    package struct Environment: Sendable {
        package let serverName: ServerName
        package let configuration: FederationConfiguration
        package let database: any Database
        package let journal: Journal
        package let rooms: RoomRegistry
        package let events: EventReader
        package let destinations: Destinations
        package let source: any OutboundEDUSource
        package let logger: Logger

        package init(
            serverName: ServerName, configuration: FederationConfiguration, database: any Database, journal: Journal, rooms: RoomRegistry,
            events: EventReader, destinations: Destinations, source: any OutboundEDUSource, logger: Logger
        ) {
            self.serverName = serverName
            self.configuration = configuration
            self.database = database
            self.journal = journal
            self.rooms = rooms
            self.events = events
            self.destinations = destinations
            self.source = source
            self.logger = logger
        }
    }

    /// How often what the sender knows is stored, and how soon messages are deleted that were taken.
    private static let savingInterval = Duration.seconds(10)
    private static let deletionInterval = Duration.seconds(2)
    /// At the start, servers that have missed something are tried one by one.
    private static let wakingInterval: Int64 = 200
    /// When a server is tried again that answers, but takes nothing; each time after twice as long.
    private static let firstRefusalPause: Int64 = 60_000
    private static let longestRefusalPause: Int64 = 60 * 60_000

    package init(_ environment: Environment, carrier: any TransactionCarrier, limits: TransactionQueue.Limits = TransactionQueue.Limits()) {
        self.environment = environment
        (stirs, stir) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let configuration = environment.configuration
        let ledger = SendingLedger(database: environment.database)
        self.ledger = ledger
        deviceUpdates = DeviceUpdates(showsNames: configuration.allowsDeviceNameLookup)
        roomServers = RoomServers(serverName: environment.serverName)
        registry = DestinationRegistry(
            serverName: environment.serverName, isAllowed: { configuration.allows($0) },
            settledMessages: { ledger.settledMessages(of: $0) }, carrier: carrier,
            reader: StoredBacklog(
                database: environment.database, journal: environment.journal, rooms: environment.rooms, ledger: ledger,
                deviceUpdates: deviceUpdates),
            perSecond: configuration.receiptTransactionsPerSecond, limits: limits)
    }

    /// Everything up to here is with the destinations.
    package nonisolated var position: StreamPosition { ledger.position }

    /// How many servers are being told something, and how many do not answer.
    package nonisolated var counts: (active: Int, waiting: Int) { registry.counts }

    // MARK: Running

    /// Sends until the server stops; requests under way are given up then.
    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            guard await begin() else { return }
            await withDiscardingTaskGroup { group in
                group.addTask { await self.follow() }
                group.addTask { await self.keepTime() }
                for await destination in registry.starts {
                    group.addTask(executorPreference: LoopExecutor.executor(for: destination.server)) { await self.run(destination) }
                }
            }
        }
        // A task of its own: who is cancelled would not get to write any more.
        await Task { await save() }.value
    }

    /// Takes over what is stored.
    ///
    /// - Returns: false when the server stops meanwhile.
    private func begin() async -> Bool {
        while !Task.isCancelled {
            do {
                try await takeOver()
                let registry = registry
                await environment.destinations.onReturn { registry.wake($0) }
                return true
            } catch {
                environment.logger.warning("the federation sender cannot begin, will try again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .seconds(1))
            }
        }
        return false
    }

    private func takeOver() async throws {
        startPosition = environment.journal.position
        let backlogs = try await ledger.load(newest: startPosition, serverName: environment.serverName)
        // What comes after the start is told as it comes.
        let (position, start) = (ledger.position, startPosition)
        let (recipients, changed, failing) = try await environment.database.read { connection in
            (
                try ToDeviceOutboxStore.servers(on: connection),
                try DeviceListStore.announced(after: position, upTo: start, on: connection),
                try DestinationStore.failing(limit: Int.max, on: connection)
            )
        }
        for (server, backlog) in backlogs { registry.note([server], backlog: backlog) }
        registry.note(recipients, backlog: DestinationBacklogRow(), hasMessages: true)
        for (user, first) in changed where user.belongs(to: environment.serverName) {
            registry.note(
                try await servers(sharingRoomWith: user), backlog: DestinationBacklogRow(deviceListsAfter: first.predecessor))
        }
        pauses = Dictionary(failing.map { ($0.server, $0.retryAt) }) { first, _ in first }
    }

    /// The past is taken in: whoever has missed something of it is tried again when the pause is over, but not all at once.
    func wakeThoseBehind() {
        let now = Timestamp.now
        let waiting = registry.waiting
        for (index, server) in waiting.sorted().enumerated() {
            let turn = now.advanced(byMilliseconds: Int64(index) * Self.wakingInterval)
            registry.wake(server, at: max(turn, pauses[server] ?? turn))
        }
        pauses = [:]
        stir.yield()
        if !waiting.isEmpty {
            environment.logger.info("servers have not got everything yet", metadata: ["servers": "\(waiting.count)"])
        }
    }

    private nonisolated func run(_ destination: Destination) async {
        let (server, ledger) = (destination.server, ledger)
        let failure = await destination.run { transaction in
            if let position = transaction.messagesUpTo { ledger.acknowledge(server, upTo: position) }
        }
        defer { stir.yield() }
        guard let failure else { return registry.didFinish(destination) }
        guard !Task.isCancelled else { return }
        let now = Timestamp.now
        registry.didFail(destination, retryAt: await retryTime(of: destination, after: failure, now: now), now: now)
    }

    private nonisolated func retryTime(of destination: Destination, after failure: DestinationFailure, now: Timestamp) async -> Timestamp {
        let server = destination.server
        switch failure {
        case .unread(let error):
            environment.logger.warning(
                "what a server has to be told cannot be read, will try again", metadata: ["server": "\(server)", "error": "\(error)"])
            return now.advanced(byMilliseconds: 10_000)
        case .unsent(.paused(_, let until)):
            return until
        case .unsent(let failure):
            environment.logger.info("a server has not taken a transaction", metadata: ["server": "\(server)", "error": "\(failure)"])
            do {
                if let until = try await environment.destinations.pausedUntil(server) { return until }
            } catch {
                environment.logger.debug("cannot read until when a server is left alone", metadata: ["error": "\(error)"])
            }
            let refusals = destination.queue.withLock { $0.refusalCount }
            let pause = min(Self.firstRefusalPause << Int64(min(max(0, refusals - 1), 10)), Self.longestRefusalPause)
            return now.advanced(byMilliseconds: pause)
        }
    }

    // MARK: The clock

    /// Wakes who is due, says again who is typing, and stores what is known. Where there is nothing of that it rests, until it is stirred.
    private func keepTime() async {
        let clock = ContinuousClock()
        var savedAt = clock.now
        var isSaved = false
        var stirs = stirs.makeAsyncIterator()
        while !Task.isCancelled {
            let now = Timestamp.now
            await tellAgain(now)
            let next = registry.wakeDue(at: now)
            let interval = ledger.hasAcknowledgements ? Self.deletionInterval : Self.savingInterval
            if savedAt.duration(to: clock.now) >= interval {
                await save()
                savedAt = clock.now
                isSaved = true
            }
            if next == nil, typing.isEmpty, isSaved {
                guard await stirs.next(isolation: #isolation) != nil else { return }
                isSaved = false
                continue
            }
            let pause = next.map { min(1000, max(20, $0.milliseconds(since: now))) } ?? 1000
            do { try await Task.sleep(for: .milliseconds(pause)) } catch { return }
        }
    }

    private func save() async {
        do {
            try await ledger.save { [registry] in registry.backlogs }
        } catch {
            environment.logger.warning("cannot store what other servers have got, will try again", metadata: ["error": "\(error)"])
        }
    }
}
