// So many at once, and no more.

import DequeModule
import Synchronization

/// Runs operations, at most `count` of them at once; the others wait in the order in which they came.
final class Slots: Sendable {
    private struct State {
        var free: Int
        var waiting: Deque<CheckedContinuation<Void, Never>> = []
    }

    private let state: Mutex<State>

    init(_ count: Int) {
        state = Mutex(State(free: count))
    }

    func run<T: Sendable>(_ operation: () async throws -> T) async rethrows -> T {
        await take()
        defer { giveBack() }
        return try await operation()
    }

    private func take() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.free == 0 else {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func giveBack() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if let next = state.waiting.popFirst() { return next }
            state.free += 1
            return nil
        }
        next?.resume()
    }
}

/// So many at once for each key.
final class KeyedSlots<Key: Hashable & Sendable>: Sendable {
    private let count: Int
    /// With how many run or wait: of whom nobody does, nothing is kept.
    private let entries = Mutex<[Key: (slots: Slots, load: Int)]>([:])

    init(_ count: Int) {
        self.count = count
    }

    func run<T: Sendable>(_ key: Key, _ operation: () async throws -> T) async rethrows -> T {
        let slots = entries.withLock { entries in
            let entry = entries[key] ?? (Slots(count), 0)
            entries[key] = (entry.slots, entry.load + 1)
            return entry.slots
        }
        defer {
            entries.withLock { entries in
                guard let entry = entries[key] else { return }
                entries[key] = entry.load > 1 ? (entry.slots, entry.load - 1) : nil
            }
        }
        return try await slots.run(operation)
    }
}

extension Sequence where Element: Sendable {
    /// Runs `body` for each element, at most `limit` at once.
    func forEachConcurrently(limit: Int, _ body: @escaping @Sendable (Element) async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            for (index, element) in enumerated() {
                if index >= limit { await group.next() }
                group.addTask { await body(element) }
            }
        }
    }
}
