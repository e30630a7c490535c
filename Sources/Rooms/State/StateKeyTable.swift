// The numbers of state keys: interned once for all rooms.

import MatrixCore
import Persistence
import Synchronization

/// Knows the number of each pair of event type and state key, from memory or from the database, and gives new ones out.
///
/// A new number is not stored at once: every batch that uses it before it is known to be durable stores it as well
/// (`rowsToStore`), which the database takes as often as it comes.
package final class StateKeyTable: Sendable {
    private let database: any Database
    private let sequences: Sequences
    private let known: CostCache<StateKey, StateKeyNID>
    /// Given out, and not durable as far as we know.
    private let pending = Mutex<[StateKey: StateKeyNID]>([:])

    package init(database: any Database, sequences: Sequences, byteLimit: Int = 4 << 20) {
        self.database = database
        self.sequences = sequences
        known = CostCache(limit: byteLimit)
    }

    /// The number of `key`, if memory has it.
    func cached(_ key: StateKey) -> StateKeyNID? {
        known[key] ?? pending.withLock { $0[key] }
    }

    /// The numbers of those `keys` that have one.
    func find(_ keys: some Collection<StateKey>) async throws -> [StateKey: StateKeyNID] {
        var result: [StateKey: StateKeyNID] = [:]
        for key in keys { result[key] = cached(key) }
        let missing = keys.filter { result[$0] == nil }
        guard !missing.isEmpty else { return result }
        for (key, number) in try await database.read({ try StateStore.keys(missing, on: $0) }) {
            remember(key, number)
            result[key] = number
        }
        return result
    }

    /// The number of a key that had none in the database when it was last asked.
    func number(ofNew key: StateKey) -> StateKeyNID {
        pending.withLock { pending in
            // Another room may have been quicker.
            if let number = known[key] ?? pending[key] { return number }
            let number = StateKeyNID(sequences.next(.stateKeys))
            pending[key] = number
            return number
        }
    }

    /// Those of the keys whose numbers a batch must store.
    func rowsToStore(_ keys: some Sequence<StateKey>) -> [(key: StateKey, number: StateKeyNID)] {
        pending.withLock { pending in
            pending.isEmpty ? [] : keys.compactMap { key in pending[key].map { (key, $0) } }
        }
    }

    /// The rows are durable.
    func didStore(_ rows: [(key: StateKey, number: StateKeyNID)]) {
        for (key, number) in rows {
            remember(key, number)
            pending.withLock { _ = $0.removeValue(forKey: key) }
        }
    }

    /// The rows were refused: someone else has numbered these keys.
    func forget(_ rows: [(key: StateKey, number: StateKeyNID)]) {
        pending.withLock { pending in
            for (key, number) in rows where pending[key] == number { pending[key] = nil }
        }
    }

    private func remember(_ key: StateKey, _ number: StateKeyNID) {
        known.insert(number, for: key, cost: 120 + key.stateKey.string.utf8.count)
    }
}
