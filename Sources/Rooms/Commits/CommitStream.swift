// The one stream of commits, read by everything that reacts to what happens.

import Logging
import MatrixCore
import Persistence

/// Commits from a position on, in order, without a gap, for ever. Each reader goes at its own pace: the newest commits come from
/// memory, and for a reader that has fallen behind the window, events and completions of rooms (and only these: the other changes are
/// told by their own tables) come from the database. A slow reader costs no memory.
package struct CommitStream: AsyncSequence, Sendable {
    package typealias Element = Commit
    package typealias Failure = Never

    let log: CommitLog
    let database: any Database
    let logger: Logger
    /// The reader has seen everything up to here.
    var start: StreamPosition

    /// What happened after `position`. Without it, a stream begins at the time when it was taken.
    package func from(_ position: StreamPosition) -> CommitStream {
        var stream = self
        stream.start = position
        return stream
    }

    /// The last published position.
    package var position: StreamPosition { log.position }

    /// The commits after `position` as far as memory has them: nil when it lies further back.
    package func recent(after position: StreamPosition) -> [Commit]? { log.recent(after: position) }

    /// Returns when `position` is published, or when the task is cancelled.
    func wait(for position: StreamPosition) async { await log.wait(for: position) }

    package func makeAsyncIterator() -> Iterator { Iterator(stream: self, position: start) }

    package struct Iterator: AsyncIteratorProtocol {
        let stream: CommitStream
        var position: StreamPosition

        /// The next commit; nil only when the task is cancelled.
        package mutating func next() async -> Commit? {
            while !Task.isCancelled {
                switch stream.log.find(after: position) {
                case .commit(let commit):
                    position = commit.positions.upperBound
                    return commit
                case .nothing:
                    await stream.log.wait(for: position.next)
                case .behind(let upTo):
                    guard let commit = await older(upTo: upTo) else { continue }
                    position = commit.positions.upperBound
                    return commit
                }
            }
            return nil
        }

        package mutating func next(isolation actor: isolated (any Actor)?) async -> Commit? { await next() }

        /// A commit of events from the database. A database that does not answer is asked again.
        private func older(upTo: StreamPosition) async -> Commit? {
            let (after, limit) = (position, CommitStream.pageSize)
            do {
                let (rows, completed) = try await stream.database.read { connection in
                    let rows = try EventStore.stream(after: after, upTo: upTo, limit: limit, on: connection)
                    return (rows, try PartialRoomStore.completed(after: after, upTo: upTo, on: connection))
                }
                let end = rows.count < limit ? upTo : rows.last?.position ?? upTo
                var changes = rows.compactMap { row in
                    TimelineEvent(row).map { Change(position: $0.position, kind: .event($0)) }
                }
                for room in completed {
                    guard let position = room.wholeAt, position <= end else { continue }
                    changes.append(Change(position: position, kind: .completion(room: room.id, nid: room.room)))
                }
                if !completed.isEmpty { changes.sort { $0.position < $1.position } }
                return Commit(changes: changes, positions: after.next...end)
            } catch {
                stream.logger.warning("reading older commits failed, will try again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .seconds(1))
                return nil
            }
        }
    }

    /// How many events are read from the database at once.
    static let pageSize = 500
}
