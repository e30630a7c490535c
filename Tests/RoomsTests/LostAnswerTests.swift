import MatrixCore
import Persistence
import Rooms
import Synchronization
import TestSupport
import Testing

/// A database whose connection breaks during the next commit, once.
private final class BreakingDatabase: Database {
    enum Break { case none, beforeCommit, afterCommit }

    private let inner: any Database
    private let next = Mutex(Break.none)

    init(_ inner: any Database) { self.inner = inner }

    func breakNext(_ how: Break) { next.withLock { $0 = how } }

    var dialect: SQLDialect { inner.dialect }

    func read<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T { try await inner.read(body) }

    func write<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T {
        let how = next.withLock { next in
            defer { next = .none }
            return next
        }
        if how != .beforeCommit {
            let result = try await inner.write(body)
            if how == .none { return result }
        }
        throw DatabaseError(.unknownOutcome, "the connection was lost during a commit")
    }

    func close() async {}
}

@Suite("A commit whose answer is lost")
struct LostAnswerTests {
    @Test("an event is stored and told of exactly once, whether the commit arrived or not", arguments: DatabaseKind.allCases)
    func exactlyOnce(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { inner in
            let database = BreakingDatabase(inner)
            let fixture = try await RoomsFixture(database)
            let room = try await fixture.room()
            for how in [BreakingDatabase.Break.beforeCommit, .afterCommit] {
                let before = fixture.journal.position
                database.breakNext(how)
                let id = try await room.send(message("once"), from: origin())
                let changes = try #require(fixture.journal.commits.recent(after: before)).flatMap(\.changes)
                #expect(changes.map(\.position) == [before.next])
                let stored = try await fixture.events.timeline(room.nid, after: before, upTo: fixture.journal.position, limit: 10)
                #expect(stored.map(\.id) == [id])
                #expect(stored.map(\.position) == [before.next])
            }
        }
    }
}
