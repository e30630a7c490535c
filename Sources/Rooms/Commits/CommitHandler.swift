// What a durable reader of the commit stream does with what it reads.

import MatrixCore
import Persistence

/// Takes commits in, in order, from wherever it stopped. A `CommitReader` drives it:
///
///     struct SearchIndex: CommitHandler {
///         let name = "search"
///         let patience = Duration.seconds(5)
///         func concerns(_ change: Change) -> Bool { change.event?.type == "m.room.message" }
///         func take(_ commits: [Commit]) async throws -> CommitOutcome {
///             let rows = commits.events.compactMap { SearchRow($0) }          // decide here, outside of the transaction
///             return .write { connection in try SearchStore.insert(rows, on: connection) }
///         }
///     }
///
///     searchReader = CommitReader(SearchIndex(…), journal: journal, database: database, logger: logger)
///     // It is a `Service`: it stands in `Wiring.services`, after the Journal.
///
/// Rows that a handler writes and the reader's position become durable in one transaction: each commit takes effect on the database
/// exactly once, also over a crash. What a handler does outside of the database (a push, a request to an application service) happens at
/// least once: it answers `.write { _ in }` when it is done, or queues the work in a table and does it from there.
package protocol CommitHandler: Sendable {
    /// Under which the position is saved: short, unique, and never changed.
    var name: String { get }

    /// How long commits may wait for others, so that a calm time makes few transactions too. Who cannot wait says so by
    /// `CommitReader.reach`.
    var patience: Duration { get }

    /// Whether there may be work in this change. Asked of every change, so it looks at no more than kinds and types: what concerns
    /// no handler costs nothing but the question.
    func concerns(_ change: Change) -> Bool

    /// Called before the reader's first start on a database, and again where it failed. By default everything is read that ever
    /// happened; who has no business with the past answers `newest`.
    ///
    /// - Parameter newest: the last position so far.
    /// - Returns: the position after which reading begins.
    func begin(newest: StreamPosition) async throws -> StreamPosition

    /// Takes in what happened: the commits in which something concerns this handler, whole. It may be called again with the same
    /// commits after a failure.
    ///
    /// Commits of the far past hold events only (`CommitStream`); the other changes are told by their own tables. A room's present
    /// state (`Room.current`) is at least as new as any commit that names it, and may be newer.
    func take(_ commits: [Commit]) async throws -> CommitOutcome
}

extension CommitHandler {
    package var patience: Duration { .zero }
    package func concerns(_ change: Change) -> Bool { true }
    package func begin(newest: StreamPosition) async throws -> StreamPosition { .zero }
}

/// What follows from commits.
package enum CommitOutcome: Sendable {
    /// Nothing that must be kept: the position is saved some time later, and the commits may be read again after a crash.
    case nothing
    /// These rows, with the position. The body may be run again: it has no side effects outside the connection.
    case write(@Sendable (any SQLConnection) throws -> Void)
}

extension [Commit] {
    /// The events among the changes, in order.
    package var events: [TimelineEvent] {
        flatMap { $0.changes.compactMap(\.event) }
    }
}
