// Durable readers of the commit stream: where they begin, what they do once, and what they survive.

import MatrixCore
import Persistence
import Rooms
import Synchronization
import TestSupport
import Testing

/// Notes the texts of messages, each as an alias of its own, which cannot be written twice.
private final class Notes: CommitHandler {
    let name = "notes"
    let patience: Duration
    let start: @Sendable (StreamPosition) -> StreamPosition
    private let fails: @Sendable (String) -> Bool
    private let seen = Mutex<[[String]]>([])

    init(
        patience: Duration = .zero, start: @escaping @Sendable (StreamPosition) -> StreamPosition = { _ in .zero },
        fails: @escaping @Sendable (String) -> Bool = { _ in false }
    ) {
        self.patience = patience
        self.start = start
        self.fails = fails
    }

    struct Refused: Error {}

    var texts: [String] { seen.withLock { $0.flatMap { $0 } } }
    /// The texts that were taken in together.
    var batches: [[String]] { seen.withLock { $0 } }

    func concerns(_ change: Change) -> Bool { change.event?.type == "m.room.message" }

    func begin(newest: StreamPosition) async throws -> StreamPosition { start(newest) }

    func take(_ commits: [Commit]) async throws -> CommitOutcome {
        for commit in commits { #expect(commit.changes.contains(where: concerns)) }
        let texts = commits.events.filter { $0.type == "m.room.message" }.compactMap { $0.contentIfReadable?["body"]?.string }
        if texts.contains(where: fails) { throw Refused() }
        guard !texts.isEmpty else { return .nothing }
        seen.withLock { $0.append(texts) }
        return .write { connection in
            for text in texts {
                try AliasStore.insert(
                    RoomAlias(trusted: "#\(text):test"), room: RoomNID(1), creator: RoomsFixture.alice, on: connection)
            }
        }
    }
}

/// Runs a reader as long as `body` does.
private func reading(
    _ handler: any CommitHandler, _ server: RoomsFixture, isolation: isolated (any Actor)? = #isolation,
    _ body: (CommitReader) async throws -> Void
) async throws {
    let reader = CommitReader(handler, journal: server.journal, database: server.database, logger: DatabaseFixture.logger)
    let running = Task { try await reader.run() }
    do {
        try await body(reader)
    } catch {
        running.cancel()
        throw error
    }
    running.cancel()
    try await running.value
}

@Suite("Durable readers of the commit stream")
struct CommitReaderTests {
    private func stored(_ database: any Database) async throws -> [String] {
        try await database.read { try AliasStore.aliases(of: RoomNID(1), on: $0) }
    }

    @Test("each commit takes effect once, over restarts, and also what happened while nobody read", arguments: DatabaseKind.allCases)
    func resumes(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await RoomsFixture(database)
            let room = try await server.room()
            try await room.send(message("one"), from: origin())
            let first = Notes()
            try await reading(first, server) { reader in
                #expect(await reader.reach(server.journal.position, within: .seconds(20)))
                try await room.send(message("two"), from: origin())
                #expect(await reader.reach(server.journal.position, within: .seconds(20)))
            }
            #expect(first.texts == ["one", "two"])
            try await room.send(message("three"), from: origin())
            await server.journal.stop()

            let restarted = try await RoomsFixture(database)
            let second = Notes()
            try await reading(second, restarted) { reader in
                #expect(await reader.reach(restarted.journal.position, within: .seconds(20)))
            }
            #expect(second.texts == ["three"])
            #expect(try await stored(database) == ["#one:test", "#three:test", "#two:test"])
        }
    }

    @Test("a reader without business with the past begins where the stream is")
    func beginsNow() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await RoomsFixture(database)
            let room = try await server.room()
            try await room.send(message("past"), from: origin())
            let notes = Notes(start: { $0 })
            try await reading(notes, server) { reader in
                #expect(await reader.reach(server.journal.position, within: .seconds(20)))
                try await room.send(message("present"), from: origin())
                #expect(await reader.reach(server.journal.position, within: .seconds(20)))
            }
            #expect(notes.texts == ["present"])
        }
    }

    @Test("a reader far behind what memory holds reads the events from the database", arguments: DatabaseKind.allCases)
    func readsThePast(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await RoomsFixture(database, window: CommitWindow(changeLimit: 2))
            let room = try await server.room()
            for number in 0..<20 { try await room.send(message("m\(number)"), from: origin()) }
            let notes = Notes()
            try await reading(notes, server) { reader in
                #expect(await reader.reach(server.journal.position, within: .seconds(20)))
            }
            #expect(notes.texts == (0..<20).map { "m\($0)" })
        }
    }

    @Test("a commit that cannot be taken in is left out, and those around it are not")
    func poison() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await RoomsFixture(database)
            let room = try await server.room()
            for text in ["good", "bad", "better"] { try await room.send(message(text), from: origin()) }
            let notes = Notes(fails: { $0 == "bad" })
            try await reading(notes, server) { reader in
                #expect(await reader.reach(server.journal.position, within: .seconds(20)))
            }
            #expect(notes.texts == ["good", "better"])
        }
    }

    @Test("with patience, commits gather until somebody waits for them, and are taken in together", arguments: DatabaseKind.allCases)
    func gathers(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await RoomsFixture(database)
            let room = try await server.room()
            let notes = Notes(patience: .seconds(3600))
            try await reading(notes, server) { reader in
                #expect(await reader.reach(server.journal.position, within: .seconds(20)))
                for text in ["one", "two", "three"] { try await room.send(message(text), from: origin()) }
                try await room.send(EventDraft(type: "m.other", content: Array("{}".utf8), sender: RoomsFixture.alice), from: origin())
                #expect(notes.batches.isEmpty)
                #expect(try await stored(database).isEmpty)
                #expect(await reader.reach(server.journal.position, within: .seconds(20)))
                #expect(notes.batches == [["one", "two", "three"]])
            }
            #expect(try await stored(database) == ["#one:test", "#three:test", "#two:test"])
        }
    }

    @Test("many commits are not waited for")
    func gathersABatch() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await RoomsFixture(database)
            let room = try await server.room()
            let notes = Notes(patience: .seconds(3600))
            try await reading(notes, server) { reader in
                #expect(await reader.reach(server.journal.position, within: .seconds(20)))
                let count = CommitReader.batchLimit + 10
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<count { group.addTask { try await room.send(message("m\(number)"), from: origin()) } }
                    try await group.waitForAll()
                }
                // Nobody asks for them.
                while notes.texts.count < CommitReader.batchLimit / 2 { try await Task.sleep(for: .milliseconds(5)) }
            }
        }
    }

    @Test("what gathers when the server stops is taken in after its next start")
    func gatheredAtTheEnd() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await RoomsFixture(database)
            let room = try await server.room()
            let first = Notes(patience: .seconds(3600))
            try await reading(first, server) { reader in
                #expect(await reader.reach(server.journal.position, within: .seconds(20)))
                try await room.send(message("late"), from: origin())
            }
            #expect(first.texts.isEmpty)
            await server.journal.stop()
            let restarted = try await RoomsFixture(database)
            let second = Notes()
            try await reading(second, restarted) { reader in
                #expect(await reader.reach(restarted.journal.position, within: .seconds(20)))
            }
            #expect(second.texts == ["late"])
        }
    }

    @Test("who waits for a reader that does not run is answered in time")
    func patience() async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await RoomsFixture(database)
            _ = try await server.room()
            let reader = CommitReader(Notes(), journal: server.journal, database: database, logger: DatabaseFixture.logger)
            #expect(await reader.reach(server.journal.position, within: .milliseconds(20)) == false)
        }
    }
}
