// The tally of one user in one room, in memory.

import MatrixCore
import Persistence
import Synchronization

/// Holds a tally between those who count events and those who read them. Receipts that come while it is being loaded are kept aside, so
/// that none is missed.
final class UnreadSlot: Sendable {
    struct State {
        var tally: UnreadTally?
        /// Receipts that moved before there was a tally.
        var reads: [(thread: ByteString?, end: StreamPosition)] = []
        /// The newest move of a receipt.
        var movedAt: StreamPosition = .zero
        /// How many events were looked at since the tally was stored.
        var unsavedCount = 0
    }

    let state = Mutex(State())

    /// How far events have been looked at; nil where that has to be found out first.
    var evaluated: StreamPosition? {
        state.withLock { state in
            guard let tally = state.tally, !tally.mustLearnReceipts else { return nil }
            return tally.evaluated
        }
    }

    func didMove(_ thread: ByteString?, to end: StreamPosition, at position: StreamPosition) {
        state.withLock { state in
            state.movedAt = max(state.movedAt, position)
            // One that is not known yet, or must be told of receipts again, may have read them before this one.
            if state.tally?.mustLearnReceipts ?? true { state.reads.append((thread, end)) }
            state.tally?.read(end, thread: thread)
        }
    }

    /// Takes over what was stored, or what a user who comes into a room begins with.
    func load(_ tally: UnreadTally, receipts: [ByteString: StreamPosition]) {
        state.withLock { state in
            var loaded = state.tally ?? tally
            loaded.learn(receipts)
            for read in state.reads { loaded.read(read.end, thread: read.thread) }
            state.reads = []
            state.tally = loaded
        }
    }

    /// Takes in events that were looked at, unless others have done so meanwhile.
    ///
    /// - Parameters:
    ///   - start: where the tally stood when they were looked at.
    ///   - count: how many events there were.
    /// - Returns: how many events are not stored.
    func apply(_ steps: [UnreadTally.Step], after start: StreamPosition, upTo end: StreamPosition, count: Int) -> Int {
        state.withLock { state in
            guard var tally = state.tally, tally.evaluated == start, !tally.mustLearnReceipts else { return state.unsavedCount }
            state.tally = nil
            tally.apply(steps, upTo: end)
            state.tally = tally
            state.unsavedCount += count
            return state.unsavedCount
        }
    }

    func skip(to position: StreamPosition) {
        state.withLock { $0.tally?.skip(to: position) }
    }

    func counts(upTo end: StreamPosition, since: StreamPosition?) -> RoomUnread {
        state.withLock { state in
            guard let tally = state.tally else { return RoomUnread() }
            var unread = tally.counts(upTo: end, since: since)
            if let since, state.movedAt > since { unread.isNews = true }
            return unread
        }
    }

    /// What is to be stored; nil where nothing has changed.
    func takeUnsaved() -> [UInt8]? {
        state.withLock { state in
            guard state.unsavedCount > 0, let tally = state.tally else { return nil }
            state.unsavedCount = 0
            return tally.encoded
        }
    }
}
