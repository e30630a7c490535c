// The transaction ids of a room's latest events, so that a client's quick repetition is answered from memory.

import MatrixCore

/// The newest few transactions of a room. Older ones are found by the database's unique index when their repetition is refused.
struct RecentTransactions: Sendable {
    private var ids: [EventOrigin: [EventID]] = [:]
    /// A ring of keys, the oldest at `next`.
    private var order: [EventOrigin] = []
    private var next = 0
    private static let limit = 64

    subscript(key: EventOrigin) -> [EventID]? { ids[key] }

    mutating func insert(_ events: [EventID], for key: EventOrigin) {
        guard ids.updateValue(events, forKey: key) == nil else { return }
        if order.count < RecentTransactions.limit {
            order.append(key)
        } else {
            ids[order[next]] = nil
            order[next] = key
            next = (next + 1) % RecentTransactions.limit
        }
    }
}
