// One kind of things of which a server must get every one, in order, however long it is away.

import DequeModule
import Persistence

/// Something with its place in the stream, and about how many bytes it keeps in memory.
protocol LaneItem: Sendable {
    var position: StreamPosition { get }
    var cost: Int { get }
}

extension OutboundPDU: LaneItem {
    var cost: Int { json.count }
}

extension OutboundDeviceUpdate: LaneItem {
    var cost: Int { edus.reduce(0) { $0 + $1.json.count } }
}

/// What waits to be sent: in memory as long as the server takes it, and otherwise only the position after which something is missing.
///
/// While something is missing, what comes newly is not kept either, only noted: it is found by reading on from `settled`. So a lane's
/// memory is bounded, and nothing is forgotten.
struct DurableLane<Item: LaneItem>: Sendable {
    /// What is to be sent, in order.
    private(set) var items: Deque<Item> = []
    private var cost = 0
    /// Everything up to here has arrived. Says something only while there is a backlog.
    private(set) var settled = StreamPosition.zero
    /// What is not among the items and not settled: the newest of it. nil: nothing is missing.
    private var missedUpTo: StreamPosition?

    private let countLimit: Int
    private let costLimit: Int

    init(countLimit: Int, costLimit: Int) {
        self.countLimit = countLimit
        self.costLimit = costLimit
    }

    /// After which position something has not arrived; nil: everything has.
    var backlog: StreamPosition? { isMissing || !items.isEmpty ? settled : nil }

    /// Whether something has to be read again before what is new can be sent.
    var isMissing: Bool { missedUpTo != nil }

    mutating func add(_ item: Item) {
        if isMissing { return miss(upTo: item.position) }
        if items.isEmpty { settled = StreamPosition(item.position.value - 1) }
        items.append(item)
        cost += item.cost
        if items.count > countLimit || cost > costLimit { drop() }
    }

    /// Something after `position` did not come this way.
    mutating func miss(after position: StreamPosition) {
        settled = backlog.map { min($0, position) } ?? position
        drop()
        miss(upTo: position.next)
    }

    private mutating func miss(upTo position: StreamPosition) {
        missedUpTo = max(missedUpTo ?? position, position)
    }

    /// Gives up what is in memory.
    mutating func drop() {
        guard let last = items.last else { return }
        items.removeAll()
        cost = 0
        miss(upTo: last.position)
    }

    /// Everything up to `position` has arrived.
    mutating func settle(upTo position: StreamPosition) {
        settled = max(settled, position)
        while let first = items.first, first.position <= position {
            items.removeFirst()
            cost -= first.cost
        }
    }

    /// Takes in what was read after `settled`.
    ///
    /// - Parameters:
    ///   - end: up to where was read.
    ///   - isComplete: whether that is all there is up to `end`; otherwise the last of the items is the end.
    mutating func refill(_ read: [Item], upTo end: StreamPosition, isComplete: Bool) {
        guard isMissing else { return }
        items = Deque(read)
        cost = read.reduce(0) { $0 + $1.cost }
        guard isComplete else { return }
        if let missed = missedUpTo, missed <= end { missedUpTo = nil }
        // With nothing to send, what was read is settled by that.
        if read.isEmpty { settled = max(settled, end) }
    }
}
