// The servers that something waits for.

import MatrixCore
import Persistence
import Synchronization

/// Has a `Destination` for each server that is being told something, and a note for each that does not answer. Of a server that has got
/// everything there is nothing here.
package final class DestinationRegistry: Sendable {
    /// What a server is told.
    package enum News: Sendable {
        case event(OutboundPDU)
        case deviceUpdate(OutboundDeviceUpdate)
        /// Messages to devices of the server are stored.
        case messages
        case typing(OutboundTyping)
        case presence(OutboundPresence)
        case receipt(OutboundReceipt)
    }

    /// A server that does not answer, until it is tried again.
    private struct Waiting {
        var backlog = DestinationBacklogRow()
        var hasMessages = false
        var receipts: PendingReceipts?
        var refusalCount = 0

        mutating func miss(_ missed: DestinationBacklogRow) {
            if let after = missed.eventsAfter { backlog.eventsAfter = min(backlog.eventsAfter ?? after, after) }
            if let after = missed.deviceListsAfter { backlog.deviceListsAfter = min(backlog.deviceListsAfter ?? after, after) }
        }
    }

    private struct State {
        var active: [ServerName: Destination] = [:]
        var waiting: [ServerName: Waiting] = [:]
        var schedule: WakeSchedule
        /// Are to be started.
        var ready: Set<ServerName> = []
    }

    private let state: Mutex<State>
    private let serverName: ServerName
    private let isAllowed: @Sendable (ServerName) -> Bool
    private let settledMessages: @Sendable (ServerName) -> StreamPosition
    private let carrier: any TransactionCarrier
    private let reader: any BacklogReader
    private let limits: TransactionQueue.Limits

    /// The destinations that are to be run, each once for each time that it comes.
    package let starts: AsyncStream<Destination>
    private let starter: AsyncStream<Destination>.Continuation

    /// For how long receipts wait for a server, in milliseconds: longer ago, nobody wants to know.
    private static let receiptMemory: Int64 = 60 * 60 * 1000

    /// - Parameters:
    ///   - isAllowed: whether the operator lets us speak with a server.
    ///   - settledMessages: up to where a server has taken the messages to its devices.
    package init(
        serverName: ServerName, isAllowed: @escaping @Sendable (ServerName) -> Bool,
        settledMessages: @escaping @Sendable (ServerName) -> StreamPosition, carrier: any TransactionCarrier, reader: any BacklogReader,
        perSecond: Int = 50, limits: TransactionQueue.Limits = TransactionQueue.Limits()
    ) {
        self.serverName = serverName
        self.isAllowed = isAllowed
        self.settledMessages = settledMessages
        self.carrier = carrier
        self.reader = reader
        self.limits = limits
        state = Mutex(State(schedule: WakeSchedule(perSecond: perSecond)))
        (starts, starter) = AsyncStream.makeStream()
    }

    // MARK: What comes

    /// Puts news into the queues of servers. Those that are to hear of it at once are started by `start`; others hear of it with the next
    /// transaction that they get anyway, or within half a minute.
    package func tell(_ servers: some Sequence<ServerName>, _ news: News, atOnce: Bool = true) {
        state.withLock { state in
            for server in servers where server != serverName && isAllowed(server) {
                tell(server, news, &state)
                guard state.active[server] != nil else { continue }
                if atOnce { state.ready.insert(server) } else { state.schedule.wakeSoon(server) }
            }
        }
    }

    private func tell(_ server: ServerName, _ news: News, _ state: inout State) {
        if state.waiting[server] != nil {
            // It is found when the server is tried again; what is only of the moment is not worth telling then.
            switch news {
            case .event(let pdu): state.waiting[server]?.miss(DestinationBacklogRow(eventsAfter: pdu.position.predecessor))
            case .deviceUpdate(let update):
                state.waiting[server]?.miss(DestinationBacklogRow(deviceListsAfter: update.position.predecessor))
            case .messages: state.waiting[server]?.hasMessages = true
            case .receipt(let receipt): state.waiting[server]?.receipts?.add(receipt)
            case .typing, .presence: break
            }
            return
        }
        let destination = state.active[server] ?? makeDestination(server, Waiting())
        state.active[server] = destination
        destination.queue.withLock { queue in
            switch news {
            case .event(let pdu): queue.add(pdu)
            case .deviceUpdate(let update): queue.add(update)
            case .messages: queue.noteMessages()
            case .typing(let typing): queue.add(typing)
            case .presence(let presence): queue.add(presence)
            case .receipt(let receipt): queue.add(receipt)
            }
        }
    }

    /// Notes what was left over before this start. It is sent when the servers are tried: `wake`.
    package func note(_ servers: some Sequence<ServerName>, backlog: DestinationBacklogRow, hasMessages: Bool = false) {
        state.withLock { state in
            for server in servers where server != serverName && isAllowed(server) {
                if let destination = state.active[server] {
                    destination.queue.withLock { queue in
                        queue.miss(backlog)
                        if hasMessages { queue.noteMessages() }
                    }
                } else {
                    state.waiting[server, default: Waiting()].miss(backlog)
                    if hasMessages { state.waiting[server]?.hasMessages = true }
                }
            }
        }
    }

    private func makeDestination(_ server: ServerName, _ waiting: Waiting) -> Destination {
        var queue = TransactionQueue(
            backlog: waiting.backlog, messagesSettled: settledMessages(server), receipts: waiting.receipts,
            refusalCount: waiting.refusalCount, limits: limits)
        if waiting.hasMessages { queue.noteMessages() }
        return Destination(server, queue: queue, carrier: carrier, reader: reader)
    }

    // MARK: Starting

    /// Starts those who were told something that they are to hear of at once.
    package func start() {
        state.withLock { state in
            for server in state.ready { start(server, &state) }
            state.ready.removeAll(keepingCapacity: true)
        }
    }

    private func start(_ server: ServerName, _ state: inout State) {
        guard let destination = state.active[server], destination.queue.withLock({ $0.start() }) else { return }
        starter.yield(destination)
    }

    /// Tries a server, if something waits for it.
    package func wake(_ server: ServerName) {
        state.withLock { wake(server, &$0) }
    }

    private func wake(_ server: ServerName, _ state: inout State) {
        if let waiting = state.waiting.removeValue(forKey: server) {
            state.schedule.forget(server)
            guard isAllowed(server) else { return }
            state.active[server] = makeDestination(server, waiting)
        }
        start(server, &state)
    }

    package func wake(_ server: ServerName, at time: Timestamp) {
        state.withLock { $0.schedule.wake(server, at: time.milliseconds) }
    }

    /// Wakes who is due.
    ///
    /// - Returns: when the next one may be; nil: nothing is planned.
    package func wakeDue(at now: Timestamp) -> Timestamp? {
        state.withLock { state in
            for server in state.schedule.takeDue(at: now.milliseconds) { wake(server, &state) }
            return state.schedule.nextTime(after: now.milliseconds).map { Timestamp(milliseconds: $0) }
        }
    }

    // MARK: The end

    /// A destination has told everything: it goes.
    package func didFinish(_ destination: Destination) {
        state.withLock { state in
            guard state.active[destination.server] === destination else { return }
            if destination.queue.withLock({ !$0.isRunning && $0.isEmpty }) { state.active[destination.server] = nil }
        }
    }

    /// A destination has failed: it goes too, and is tried again.
    package func didFail(_ destination: Destination, retryAt time: Timestamp, now: Timestamp) {
        let server = destination.server
        state.withLock { state in
            guard state.active[server] === destination else { return }
            destination.queue.withLock { queue in
                // Told something meanwhile, it runs again already.
                guard !queue.isRunning else { return }
                let keepsReceipts = time.milliseconds(since: now) <= Self.receiptMemory
                state.active[server] = nil
                state.waiting[server] = Waiting(
                    backlog: queue.backlog, hasMessages: queue.hasMessages, receipts: keepsReceipts ? queue.pendingReceipts : nil,
                    refusalCount: queue.refusalCount)
                state.schedule.wake(server, at: time.milliseconds)
            }
        }
    }

    // MARK: What is left

    /// Who has not got everything.
    package var backlogs: [ServerName: DestinationBacklogRow] {
        state.withLock { state in
            var backlogs = state.waiting.mapValues(\.backlog)
            for (server, destination) in state.active { backlogs[server] = destination.queue.withLock { $0.backlog } }
            return backlogs.filter { !$0.value.isEmpty }
        }
    }

    /// Who does not answer, or was not tried yet since the start.
    package var waiting: [ServerName] { state.withLock { Array($0.waiting.keys) } }

    /// How many servers are being told something, and how many do not answer.
    package var counts: (active: Int, waiting: Int) { state.withLock { ($0.active.count, $0.waiting.count) } }
}
