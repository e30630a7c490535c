// One request that waits for something to happen.

import MatrixCore
import Synchronization

/// Why a waiting request goes on.
package enum Wakeup: Sendable, Equatable {
    /// There may be something for it.
    case changed
    case timedOut
    /// The client has gone away.
    case cancelled
    /// The server stops.
    case stopping
}

/// What a waiting request wants to hear of beside what every one does: events, account data, to-device messages, device lists.
package struct SyncInterests: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Receipts of others; one's own change what is unread, and concern everybody.
    package static let receipts = SyncInterests(rawValue: 1)
    package static let typing = SyncInterests(rawValue: 2)
    package static let presence = SyncInterests(rawValue: 4)
    package static let threadSubscriptions = SyncInterests(rawValue: 8)

    /// What `/sync` tells of.
    package static let sync: SyncInterests = [.receipts, .typing, .presence]
}

/// A suspended request. Woken exactly once, by whoever comes first: a commit, the timer, the end of the client's
/// connection, or the end of the server.
package final class SyncWaiter: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Wakeup, Never>)
        case woken(Wakeup)
    }

    /// The device that waits; what is sent to another device does not wake it.
    package let device: DeviceID?
    package let interests: SyncInterests
    private let state = Mutex<State>(.idle)

    package init(device: DeviceID?, interests: SyncInterests = .sync) {
        self.device = device
        self.interests = interests
    }

    /// Suspends until woken. Called once.
    package func wait() async -> Wakeup {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let early: Wakeup? = state.withLock { state in
                    if case .woken(let wakeup) = state { return wakeup }
                    state = .waiting(continuation)
                    return nil
                }
                if let early { continuation.resume(returning: early) }
            }
        } onCancel: {
            wake(.cancelled)
        }
    }

    /// Only the first call counts. It may come before `wait`.
    package func wake(_ wakeup: Wakeup) {
        let continuation: CheckedContinuation<Wakeup, Never>? = state.withLock { state in
            switch state {
            case .idle:
                state = .woken(wakeup)
                return nil
            case .waiting(let continuation):
                state = .woken(wakeup)
                return continuation
            case .woken:
                return nil
            }
        }
        continuation?.resume(returning: wakeup)
    }
}
