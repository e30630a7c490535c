// What waits for one server, and what of it goes into the next transaction. Server-Server API §Transactions.

import DequeModule
import MatrixCore
import Persistence

/// Decides what a server is told next: a pure value. `Destination` acts on it.
///
/// Events, changes of devices and messages to devices must all arrive; of them memory keeps a bounded number, and when the server does
/// not answer, only the positions after which something is missing. What people do at the moment is told while it is news, and given up
/// when the server does not answer, but for receipts, which wait for the next try.
package struct TransactionQueue: Sendable {
    /// What the owner of the queue has to do next.
    package enum Step: Sendable {
        /// Send it, then `didSend` or `didFail`.
        case send(Transaction)
        /// Find out in which rooms the server has missed events: `foundMissedRooms`.
        case findMissedRooms(after: StreamPosition, limit: Int)
        /// Fetch what the server should get of a room: `foundMissedEvents`.
        case fetchMissedEvents(MissedRoomRow, after: StreamPosition)
        /// Read on: `foundDeviceUpdates`.
        case readDeviceUpdates(after: StreamPosition, limit: Int)
        /// Read on: `foundMessages`.
        case readMessages(after: StreamPosition, limit: Int)
        /// There is nothing to do; the queue does not run any more.
        case rest
    }

    /// How much is kept in memory.
    package struct Limits: Sendable {
        package var events = 500
        package var eventBytes = 2 << 20
        package var deviceUpdates = 500
        package var deviceUpdateBytes = 2 << 20
        package var typing = 500
        package var presences = 1000
        package var receipts = 1000

        package init() {}
    }

    private var events: DurableLane<OutboundPDU>
    private var missedRooms: Deque<MissedRoomRow> = []
    /// The events that were sent while catching up, by which later news of the same rooms may have arrived already.
    private var caughtUp: Set<StreamPosition> = []
    private var deviceUpdates: DurableLane<OutboundDeviceUpdate>
    private var messages: Deque<OutboundDeviceMessage> = []
    private var messagesSettled: StreamPosition
    private var mayHaveMessages = false
    private var typing = LatestByKey<TypingKey, OutboundTyping>()
    private var presences = LatestByKey<UserID, OutboundPresence>()
    private var receipts: PendingReceipts
    private let limits: Limits

    /// Whether somebody is carrying out the steps.
    package private(set) var isRunning = false
    /// How often in a row the server has answered that it takes nothing.
    package private(set) var refusalCount: Int

    private struct TypingKey: Hashable {
        let room: RoomID
        let user: UserID
    }

    /// How many users one presence EDU holds, and how many EDUs of receipts a transaction: as in Synapse.
    private static let presencesPerEDU = 50
    private static let receiptEDUs = 5
    /// Places that messages to devices leave to others.
    private static let reservedEDUs = 10
    private static let roomPage = 50

    /// - Parameters:
    ///   - backlog: what the server has missed already.
    ///   - messagesSettled: up to where the messages to devices are settled.
    package init(
        backlog: DestinationBacklogRow = DestinationBacklogRow(), messagesSettled: StreamPosition = .zero,
        receipts: PendingReceipts? = nil, refusalCount: Int = 0, limits: Limits = Limits()
    ) {
        events = DurableLane(countLimit: limits.events, costLimit: limits.eventBytes)
        deviceUpdates = DurableLane(countLimit: limits.deviceUpdates, costLimit: limits.deviceUpdateBytes)
        self.messagesSettled = messagesSettled
        self.receipts = receipts ?? PendingReceipts(limit: limits.receipts)
        self.refusalCount = refusalCount
        self.limits = limits
        miss(backlog)
    }

    // MARK: What comes

    package mutating func add(_ pdu: OutboundPDU) { events.add(pdu) }
    package mutating func add(_ update: OutboundDeviceUpdate) { deviceUpdates.add(update) }

    /// Events, changes of devices or both after these positions concern the server and must be looked for.
    package mutating func miss(_ backlog: DestinationBacklogRow) {
        if let after = backlog.eventsAfter { events.miss(after: after) }
        if let after = backlog.deviceListsAfter { deviceUpdates.miss(after: after) }
    }

    /// There are messages to devices of the server.
    package mutating func noteMessages() { mayHaveMessages = true }

    package mutating func add(_ news: OutboundTyping) {
        typing.set(news, for: TypingKey(room: news.room, user: news.user), limit: limits.typing)
    }

    package mutating func add(_ presence: OutboundPresence) { presences.set(presence, for: presence.user, limit: limits.presences) }
    package mutating func add(_ receipt: OutboundReceipt) { receipts.add(receipt) }

    // MARK: What is left

    /// After which positions something has not arrived.
    package var backlog: DestinationBacklogRow {
        DestinationBacklogRow(eventsAfter: events.backlog, deviceListsAfter: deviceUpdates.backlog)
    }

    package var hasMessages: Bool { mayHaveMessages || !messages.isEmpty }
    package var pendingReceipts: PendingReceipts { receipts }

    package var isEmpty: Bool {
        backlog.isEmpty && !hasMessages && typing.isEmpty && presences.isEmpty && receipts.isEmpty
    }

    /// How many things it keeps in memory.
    package var heldCount: Int {
        events.items.count + deviceUpdates.items.count + messages.count + typing.count + presences.count + receipts.count
    }

    // MARK: What is done

    /// - Returns: whether the caller is the one who has to carry out the steps.
    package mutating func start() -> Bool {
        defer { isRunning = true }
        return !isRunning
    }

    package mutating func next(at now: Timestamp) -> Step {
        if events.isMissing {
            while let room = missedRooms.first {
                guard caughtUp.contains(room.position) else { return .fetchMissedEvents(room, after: events.settled) }
                missedRooms.removeFirst()
                events.settle(upTo: room.position)
            }
            return .findMissedRooms(after: events.settled, limit: Self.roomPage)
        }
        if deviceUpdates.isMissing, deviceUpdates.items.isEmpty {
            return .readDeviceUpdates(after: deviceUpdates.settled, limit: Transaction.eduLimit / 2)
        }
        if messages.isEmpty, mayHaveMessages {
            mayHaveMessages = false
            return .readMessages(after: messagesSettled, limit: Self.messageLimit)
        }
        let transaction = gather(at: now)
        guard transaction.isEmpty else { return .send(transaction) }
        isRunning = false
        return .rest
    }

    private static let messageLimit = Transaction.eduLimit - reservedEDUs - receiptEDUs - 1

    /// Presence first, since it is one EDU, some receipts, messages, changes of devices, and who is typing where there is room.
    private mutating func gather(at now: Timestamp) -> Transaction {
        var transaction = Transaction()
        transaction.pdus = Array(events.items.prefix(Transaction.pduLimit))
        transaction.eventsUpTo = transaction.pdus.last?.position
        let present = presences.take(Self.presencesPerEDU)
        if !present.isEmpty { transaction.edus.append(OutboundPresence.edu(present, at: now)) }
        let read = receipts.take(eduLimit: Self.receiptEDUs)
        transaction.edus += read.edus
        transaction.receipts = read.receipts
        for message in messages.prefix(Self.messageLimit) {
            transaction.edus.append(message.edu)
            transaction.messagesUpTo = message.position
        }
        for update in deviceUpdates.items {
            guard transaction.edus.count + update.edus.count <= Transaction.eduLimit else { break }
            transaction.edus += update.edus
            transaction.deviceUpdatesUpTo = update.position
        }
        transaction.edus += typing.take(Transaction.eduLimit - transaction.edus.count).map(\.edu)
        return transaction
    }

    // MARK: What came of it

    package mutating func didSend(_ transaction: Transaction) {
        refusalCount = 0
        if events.isMissing { caughtUp.formUnion(transaction.pdus.map(\.position)) }
        if let position = transaction.eventsUpTo { events.settle(upTo: position) }
        if let position = transaction.deviceUpdatesUpTo { deviceUpdates.settle(upTo: position) }
        if let position = transaction.messagesUpTo {
            messagesSettled = position
            while let first = messages.first, first.position <= position { messages.removeFirst() }
        }
    }

    /// The server does not answer, or what it has to be told could not be read. The queue does not run any more.
    ///
    /// - Parameters:
    ///   - transaction: what did not arrive, if that was tried.
    ///   - isRefusal: the server does answer, and takes nothing.
    package mutating func didFail(_ transaction: Transaction?, isRefusal: Bool = false) {
        isRunning = false
        if isRefusal { refusalCount += 1 }
        events.drop()
        deviceUpdates.drop()
        missedRooms.removeAll()
        caughtUp.removeAll()
        if !messages.isEmpty {
            messages.removeAll()
            mayHaveMessages = true
        }
        typing.removeAll()
        presences.removeAll()
        if let transaction { receipts.putBack(transaction.receipts) }
    }

    /// - Parameters:
    ///   - rooms: in the order of their positions.
    ///   - end: everything up to here was considered.
    package mutating func foundMissedRooms(_ rooms: [MissedRoomRow], upTo end: StreamPosition) {
        missedRooms = Deque(rooms)
        guard rooms.isEmpty else { return }
        events.refill([], upTo: end, isComplete: true)
        if !events.isMissing { caughtUp.removeAll() }
    }

    /// - Parameter pdus: what the server gets of the room; nothing where there is nothing to send any more.
    /// - Returns: the transaction to send.
    package mutating func foundMissedEvents(_ pdus: [OutboundPDU], in room: MissedRoomRow) -> Transaction? {
        if missedRooms.first == room { missedRooms.removeFirst() }
        guard !pdus.isEmpty else {
            events.settle(upTo: room.position)
            return nil
        }
        var transaction = Transaction()
        transaction.pdus = Array(pdus.prefix(Transaction.pduLimit))
        transaction.eventsUpTo = room.position
        return transaction
    }

    package mutating func foundDeviceUpdates(_ updates: [OutboundDeviceUpdate], upTo end: StreamPosition, isComplete: Bool) {
        deviceUpdates.refill(updates, upTo: end, isComplete: isComplete)
    }

    package mutating func foundMessages(_ found: [OutboundDeviceMessage], isComplete: Bool) {
        messages = Deque(found)
        if !isComplete { mayHaveMessages = true }
    }
}

/// The newest value of each key, in the order in which the keys came.
private struct LatestByKey<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private var values: [Key: Value] = [:]
    private var order: Deque<Key> = []

    var isEmpty: Bool { values.isEmpty }
    var count: Int { values.count }

    /// - Parameter limit: of more values than this the oldest are given up.
    mutating func set(_ value: Value, for key: Key, limit: Int) {
        if values.updateValue(value, forKey: key) == nil { order.append(key) }
        while values.count > limit, let oldest = order.popFirst() { values[oldest] = nil }
    }

    mutating func take(_ count: Int) -> [Value] {
        var taken: [Value] = []
        while taken.count < count, let key = order.popFirst() {
            if let value = values.removeValue(forKey: key) { taken.append(value) }
        }
        return taken
    }

    mutating func removeAll() {
        values.removeAll()
        order.removeAll()
    }
}
