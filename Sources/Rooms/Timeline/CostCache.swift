// A cache in memory that keeps within a budget of bytes.

import Synchronization

/// Values by key, at most `limit` bytes of them by the costs that callers name.
///
/// What was not asked for since the hand last passed goes first (CLOCK): as good as least-recently-used here, and a hit only
/// sets a mark.
package final class CostCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    fileprivate struct Slot {
        let key: Key
        let value: Value
        let cost: Int
        var isMarked: Bool
    }

    fileprivate struct State {
        var slots: [Slot?] = []
        var indices: [Key: Int] = [:]
        var free: [Int] = []
        var hand = 0
        var cost = 0
    }

    private let state = Mutex(State())
    private let limit: Int

    package init(limit: Int) { self.limit = limit }

    package subscript(key: Key) -> Value? { state.withLock { $0.use(key) } }

    /// The values of many keys, in their order, for one lock; and the keys that have none.
    package func values(for keys: [Key]) -> (found: [Value], missing: [Key]) {
        state.withLock { state in
            var found: [Value] = []
            var missing: [Key] = []
            found.reserveCapacity(keys.count)
            for key in keys {
                if let value = state.use(key) { found.append(value) } else { missing.append(key) }
            }
            return (found, missing)
        }
    }

    /// Keeps `value`, unless it alone would take more than a quarter of the budget.
    package func insert(_ value: Value, for key: Key, cost: Int) {
        state.withLock { state in
            state.remove(key)
            guard cost <= limit / 4 else { return }
            state.evict(to: limit - cost)
            let slot = Slot(key: key, value: value, cost: cost, isMarked: false)
            if let index = state.free.popLast() {
                state.slots[index] = slot
                state.indices[key] = index
            } else {
                state.indices[key] = state.slots.count
                state.slots.append(slot)
            }
            state.cost += cost
        }
    }

    package func remove(_ key: Key) { state.withLock { $0.remove(key) } }

    package func removeAll() { state.withLock { $0 = State() } }

    package var cost: Int { state.withLock { $0.cost } }
    package var count: Int { state.withLock { $0.indices.count } }
}

extension CostCache.State {
    /// The value, which is marked as asked for.
    fileprivate mutating func use(_ key: Key) -> Value? {
        guard let index = indices[key], let value = slots[index]?.value else { return nil }
        slots[index]?.isMarked = true
        return value
    }

    fileprivate mutating func remove(_ key: Key) {
        guard let index = indices.removeValue(forKey: key), let slot = slots[index] else { return }
        slots[index] = nil
        free.append(index)
        cost -= slot.cost
    }

    fileprivate mutating func evict(to limit: Int) {
        while cost > limit, !indices.isEmpty {
            if hand >= slots.count { hand = 0 }
            if let slot = slots[hand] {
                if slot.isMarked { slots[hand]?.isMarked = false } else { remove(slot.key) }
            }
            hand += 1
        }
    }
}
