// What is fetched from elsewhere once for all who want it at a time.

import MatrixCore
import Synchronization

/// Fetches values, each in one fetch however many ask, so many at once, and remembers them for a moment. A fetch goes on when those who
/// wait for it have gone.
final class SharedFetches<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private typealias Flight = Outcome<Result<Value, MatrixError>>

    private enum Step {
        case known(Value)
        case wait(Flight)
        case launch(Flight)
    }

    private struct State {
        var recent: RecentCache<Key, (value: Value, at: ContinuousClock.Instant)>
        var flights: [Key: Flight] = [:]
    }

    private let memory: Duration
    private let isRemembered: @Sendable (Value) -> Bool
    private let state: Mutex<State>
    private let slots: Slots

    /// - Parameters:
    ///   - memory: how long a value is remembered; zero for not at all. Failures are not.
    ///   - isRemembered: false for values that would take too much of it.
    init(atOnce: Int, memory: Duration, capacity: Int, isRemembered: @escaping @Sendable (Value) -> Bool = { _ in true }) {
        self.memory = memory
        self.isRemembered = isRemembered
        slots = Slots(atOnce)
        state = Mutex(State(recent: RecentCache(capacity: capacity)))
    }

    /// - Throws: what the fetch failed with; `CancellationError` for who does not wait any more.
    func value(for key: Key, _ fetch: @escaping @Sendable () async -> Result<Value, MatrixError>) async throws -> Value {
        let step = state.withLock { state -> Step in
            if let known = state.recent.value(for: key), known.at.duration(to: .now) < memory { return .known(known.value) }
            if let flight = state.flights[key] { return .wait(flight) }
            let flight = Flight()
            state.flights[key] = flight
            return .launch(flight)
        }
        let flight: Flight
        switch step {
        case .known(let value): return value
        case .wait(let other): flight = other
        case .launch(let own):
            flight = own
            Task { own.resolve(await run(key, fetch)) }
        }
        guard let outcome = await flight.value() else { throw CancellationError() }
        return try outcome.get()
    }

    private func run(_ key: Key, _ fetch: @escaping @Sendable () async -> Result<Value, MatrixError>) async -> Result<Value, MatrixError> {
        let outcome = await slots.run { await fetch() }
        state.withLock { state in
            state.flights[key] = nil
            if case .success(let value) = outcome, memory > .zero, isRemembered(value) { state.recent.insert((value, .now), for: key) }
        }
        return outcome
    }
}
