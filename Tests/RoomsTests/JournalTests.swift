import MatrixCore
import Persistence
import Rooms
import Synchronization
import TestSupport
import Testing

/// Notes itself in table `room_aliases`, under a name that can be taken once.
private struct NoteRecord: JournalRecord {
    let name: String

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try AliasStore.insert(
            RoomAlias(trusted: name), room: RoomNID(position.value), creator: RoomsFixture.alice, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: .profile(user: UserID(trusted: name)))
    }
}

private struct Refused: Error {}

private func name(of change: Change) -> String? {
    switch change.kind {
    case .profile(let user): user.string
    case .typing(let room): room.string
    default: nil
    }
}

@Suite("Journal")
struct JournalTests {
    @Test("positions follow each other without a gap, and are published in order", arguments: DatabaseKind.allCases)
    func positionsAreGapless(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let journal = try await RoomsFixture(database).journal
            let ranges = try await withThrowingTaskGroup(of: ClosedRange<StreamPosition>.self) { group in
                for index in 0..<200 {
                    group.addTask {
                        try await journal.append(JournalBatch(records: [NoteRecord(name: "a\(index)"), NoteRecord(name: "b\(index)")]))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(ranges.flatMap { [$0.lowerBound.value, $0.upperBound.value] }) == Set(1...400))
            #expect(journal.position == StreamPosition(400))

            let commits = try #require(journal.commits.recent(after: .zero))
            #expect(commits.flatMap(\.changes).map(\.position.value) == Array(1...400))
            #expect(commits.count < 200, "batches that arrive together share a transaction")
        }
    }

    @Test("a batch that fails takes nobody else with it, and leaves no trace", arguments: DatabaseKind.allCases)
    func failuresAreIsolated(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let journal = try await RoomsFixture(database).journal
            try await journal.append(JournalBatch(records: [NoteRecord(name: "taken")]))
            let outcomes = await withTaskGroup(of: (Int, Bool).self) { group in
                for index in 0..<60 {
                    group.addTask {
                        let batch =
                            switch index % 3 {
                            case 0: JournalBatch(records: [NoteRecord(name: "n\(index)"), NoteRecord(name: "taken")])
                            case 1: JournalBatch(records: [NoteRecord(name: "n\(index)")], alongside: { _ in throw Refused() })
                            default: JournalBatch(records: [NoteRecord(name: "n\(index)")])
                            }
                        return (index, (try? await journal.append(batch)) != nil)
                    }
                }
                return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            for index in 0..<60 { #expect(outcomes[index] == (index % 3 == 2)) }
            #expect(journal.position == StreamPosition(21))

            let stored = try await database.read { connection in
                try (0..<60).filter { try AliasStore.exists("n\($0)", on: connection) }
            }
            #expect(stored == (0..<60).filter { $0 % 3 == 2 })
            let changes = try #require(journal.commits.recent(after: .zero)).flatMap(\.changes)
            #expect(changes.map(\.position.value) == Array(1...21))
        }
    }

    @Test("owners hear of their batch before the readers do", arguments: DatabaseKind.allCases)
    func ownersHearFirst(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let journal = try await RoomsFixture(database).journal
            let seen = Mutex<StreamPosition?>(nil)
            try await journal.append(
                JournalBatch(records: [NoteRecord(name: "x")], committed: { _ in seen.withLock { $0 = journal.position } }))
            #expect(seen.withLock { $0 } == .zero)
        }
    }

    @Test("no position comes twice, after an orderly stop nor after a crash", arguments: DatabaseKind.allCases)
    func positionsSurviveRestarts(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let first = try await RoomsFixture(database).journal
            try await first.append(JournalBatch(records: [NoteRecord(name: "one")]))
            let typing = await first.publishTransient { Change(position: $0, kind: .typing(room: RoomID(trusted: "!r:test"))) }
            #expect(typing == StreamPosition(2))

            let crashed = try await RoomsFixture(database).journal
            #expect(crashed.position > typing)
            let transient = await crashed.publishTransient { Change(position: $0, kind: .typing(room: RoomID(trusted: "!r:test"))) }
            let afterSecondCrash = try await RoomsFixture(database).journal
            #expect(afterSecondCrash.position > transient)

            let range = try await afterSecondCrash.append(JournalBatch(records: [NoteRecord(name: "two")]))
            await afterSecondCrash.stop()
            #expect(try await RoomsFixture(database).journal.position == range.upperBound)
            await #expect(throws: JournalStopped.self) { try await afterSecondCrash.append(JournalBatch(records: [])) }
        }
    }

    @Test(
        "a reader gets every change once and in order, beginning behind the window and waiting at its end", arguments: DatabaseKind.allCases
    )
    func readersMissNothing(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let fixture = try await RoomsFixture(database, window: CommitWindow(changeLimit: 5))
            let room = try await fixture.room()
            for index in 0..<20 { try await room.send(message("m\(index)"), from: origin()) }
            let middle = fixture.journal.position
            #expect(fixture.journal.commits.recent(after: .zero) == nil)

            let stream = fixture.journal.commits.from(.zero)
            let reader = Task {
                var positions: [Int64] = []
                for await commit in stream {
                    positions += commit.changes.map(\.position.value)
                    if commit.positions.upperBound >= middle.advanced(by: 10) { break }
                }
                return positions
            }
            for index in 0..<10 { try await room.send(message("n\(index)"), from: origin()) }
            #expect(await reader.value == Array(1...middle.value + 10))
        }
    }

    @Test("a cancelled reader stops waiting")
    func cancelledReaders() async throws {
        try await withDatabase(.sqlite) { database in
            let journal = try await RoomsFixture(database).journal
            let reader = Task {
                var iterator = journal.commits.from(.zero).makeAsyncIterator()
                return await iterator.next() == nil
            }
            reader.cancel()
            #expect(await reader.value)
        }
    }
}

extension AliasStore {
    fileprivate static func exists(_ name: String, on connection: any SQLConnection) throws -> Bool {
        try connection.exists("SELECT 1 FROM room_aliases WHERE alias = $1", [.text(name)])
    }
}
