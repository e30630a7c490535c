// Bytes on their way from a connection to a task, bounded however much comes.

import Synchronization

/// What a connection reads and a task takes: a body that is too large to be in memory. The connection appends, and reads no further while
/// the queue is full; the task takes all there is at once. Whoever appends also ends the queue, whatever happens, so the task never waits
/// in vain.
package final class ByteQueue: Sendable {
    /// The connection ended before the body did.
    package struct Lost: Error {
        package init() {}
    }

    private struct State {
        var bytes: [UInt8] = []
        var isEnded = false
        var failure: (any Error)?
        var waiting: CheckedContinuation<[UInt8]?, any Error>?
        var isWanted = false
    }

    private enum Step {
        case take([UInt8], isDrained: Bool)
        case end
        case fail(any Error)
        case wait(isFirst: Bool)
    }

    /// Bytes from which on the queue is full.
    package static let limit = 128 * 1024

    private let state = Mutex(State())
    private let onWanted: @Sendable () -> Void
    private let onDrain: @Sendable () -> Void
    private let onAbandon: @Sendable () -> Void

    /// - Parameters:
    ///   - onWanted: called once, when the task first waits for bytes.
    ///   - onDrain: called when the queue was full and is not any more.
    ///   - onAbandon: called when the task takes no more.
    package init(
        onWanted: @escaping @Sendable () -> Void = {}, onDrain: @escaping @Sendable () -> Void = {},
        onAbandon: @escaping @Sendable () -> Void = {}
    ) {
        self.onWanted = onWanted
        self.onDrain = onDrain
        self.onAbandon = onAbandon
    }

    // MARK: The connection

    package var isFull: Bool { state.withLock { $0.bytes.count >= Self.limit } }

    package func append(_ bytes: some Collection<UInt8>) {
        guard !bytes.isEmpty else { return }
        let waiting = state.withLock { state -> CheckedContinuation<[UInt8]?, any Error>? in
            guard !state.isEnded else { return nil }
            guard let waiting = state.waiting else {
                state.bytes.append(contentsOf: bytes)
                return nil
            }
            state.waiting = nil
            return waiting
        }
        waiting?.resume(returning: Array(bytes))
    }

    /// That was all.
    package func finish() { end(nil) }

    /// Nothing more will come. What has come is taken before the task hears of it.
    package func fail(_ failure: any Error) { end(failure) }

    private func end(_ failure: (any Error)?) {
        let waiting = state.withLock { state -> CheckedContinuation<[UInt8]?, any Error>? in
            guard !state.isEnded else { return nil }
            state.isEnded = true
            state.failure = failure
            defer { state.waiting = nil }
            return state.waiting
        }
        guard let waiting else { return }
        if let failure { waiting.resume(throwing: failure) } else { waiting.resume(returning: nil) }
    }

    // MARK: The task

    /// All that has come since the last time; nil at the end. One task asks.
    ///
    /// - Throws: what the queue has failed with.
    package func next() async throws -> [UInt8]? {
        switch step() {
        case .take(let bytes, let isDrained):
            if isDrained { onDrain() }
            return bytes
        case .end: return nil
        case .fail(let failure): throw failure
        case .wait(let isFirst):
            if isFirst { onWanted() }
            return try await withCheckedThrowingContinuation { continuation in
                let now = state.withLock { state -> Step in
                    let step = Self.step(&state)
                    if case .wait = step { state.waiting = continuation }
                    return step
                }
                switch now {
                case .take(let bytes, let isDrained):
                    if isDrained { onDrain() }
                    continuation.resume(returning: bytes)
                case .end: continuation.resume(returning: nil)
                case .fail(let failure): continuation.resume(throwing: failure)
                case .wait: break
                }
            }
        }
    }

    /// The task wants no more, though there may be some.
    package func abandon() {
        let isOver = state.withLock { state in
            defer {
                state.isEnded = true
                state.bytes = []
            }
            return state.isEnded
        }
        if !isOver { onAbandon() }
    }

    private func step() -> Step { state.withLock { Self.step(&$0) } }

    private static func step(_ state: inout State) -> Step {
        if !state.bytes.isEmpty {
            let bytes = state.bytes
            state.bytes = []
            return .take(bytes, isDrained: bytes.count >= limit)
        }
        if let failure = state.failure { return .fail(failure) }
        if state.isEnded { return .end }
        defer { state.isWanted = true }
        return .wait(isFirst: !state.isWanted)
    }
}
