// The recent past of the stream in memory, and the readers that wait for its future.

import DequeModule
import MatrixCore
import Persistence
import Synchronization

/// How much of the stream is kept in memory.
package struct CommitWindow: Sendable {
    package let changeLimit: Int
    package let byteLimit: Int

    package init(changeLimit: Int = 8192, byteLimit: Int = 8 << 20) {
        self.changeLimit = changeLimit
        self.byteLimit = byteLimit
    }
}

/// Holds the window of recent commits. The Journal appends to it; `CommitStream` reads it.
final class CommitLog: Sendable {
    fileprivate struct State {
        var commits: Deque<Commit> = []
        var changeCount = 0
        var byteCount = 0
        /// The last published position.
        var position: StreamPosition
        /// Everything after this position is in `commits`.
        var floor: StreamPosition
    }

    /// What a reader at some position finds.
    enum Finding {
        case commit(Commit)
        /// The reader is behind the window: events up to and including `upTo` must be read from the database.
        case behind(upTo: StreamPosition)
        /// The reader has seen everything.
        case nothing
    }

    private let state: Mutex<State>
    private let window: CommitWindow
    private let published: PositionGate

    init(startingAt position: StreamPosition, window: CommitWindow) {
        self.window = window
        state = Mutex(State(position: position, floor: position))
        published = PositionGate(at: position)
    }

    var position: StreamPosition { state.withLock { $0.position } }

    /// Adds a commit, forgets what exceeds the window, and wakes the readers.
    func publish(_ commit: Commit) {
        state.withLock { state in
            state.commits.append(commit)
            state.position = commit.positions.upperBound
            state.changeCount += commit.changes.count
            state.byteCount += commit.cost
            while state.changeCount > window.changeLimit || state.byteCount > window.byteLimit, state.commits.count > 1,
                let oldest = state.commits.popFirst()
            {
                state.changeCount -= oldest.changes.count
                state.byteCount -= oldest.cost
                state.floor = oldest.positions.upperBound
            }
        }
        published.advance(to: commit.positions.upperBound)
    }

    func find(after position: StreamPosition) -> Finding {
        state.withLock { state in
            if position >= state.position { return .nothing }
            if position < state.floor { return .behind(upTo: state.floor) }
            return .commit(state.commits[state.firstIndex(after: position)])
        }
    }

    /// All commits after `position`, or nil when it lies behind the window.
    func recent(after position: StreamPosition) -> [Commit]? {
        state.withLock { state in
            if position >= state.position { return [] }
            if position < state.floor { return nil }
            return Array(state.commits[state.firstIndex(after: position)...])
        }
    }

    /// Returns when `position` is published, or when the task is cancelled.
    func wait(for position: StreamPosition) async {
        await published.wait(for: position)
    }
}

extension CommitLog.State {
    /// The index of the first commit that reaches beyond `position`; there is one.
    fileprivate func firstIndex(after position: StreamPosition) -> Int {
        var low = 0
        var high = commits.count - 1
        while low < high {
            let middle = (low + high) / 2
            if commits[middle].positions.upperBound <= position { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Commit {
    /// About how many bytes it holds.
    fileprivate var cost: Int {
        changes.reduce(64) { sum, change in
            if case .event(let event) = change.kind { sum + event.cost } else { sum + 128 }
        }
    }
}
