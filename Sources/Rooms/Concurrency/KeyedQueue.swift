// One thing at a time for each key: where a value is read, decided upon and written with suspensions between.

import Synchronization

/// Runs operations of the same key one after the other, in the order in which they came; different keys do not wait for
/// each other. It orders the requests of this process only: what several processes could do at once, SQL guards as well.
package final class KeyedQueue<Key: Hashable & Sendable>: Sendable {
    /// Who waits for the keys that are in use. A key without an entry is free.
    private let waiting = Mutex<[Key: [CheckedContinuation<Void, Never>]]>([:])

    package init() {}

    package func run<T: Sendable>(_ key: Key, _ operation: () async throws -> T) async rethrows -> T {
        await acquire(key)
        defer { release(key) }
        return try await operation()
    }

    private func acquire(_ key: Key) async {
        let isFree = waiting.withLock { waiting in
            guard waiting[key] == nil else { return false }
            waiting[key] = []
            return true
        }
        if isFree { return }
        await withCheckedContinuation { continuation in
            let isFreeNow = waiting.withLock { waiting in
                guard waiting[key] != nil else {
                    waiting[key] = []
                    return true
                }
                waiting[key, default: []].append(continuation)
                return false
            }
            if isFreeNow { continuation.resume() }
        }
    }

    private func release(_ key: Key) {
        let next = waiting.withLock { waiting -> CheckedContinuation<Void, Never>? in
            guard let others = waiting[key], let first = others.first else {
                waiting[key] = nil
                return nil
            }
            waiting[key] = Array(others.dropFirst())
            return first
        }
        next?.resume()
    }
}
