// Search on a database of a test, kept up to date as the server does it.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport

/// A server with rooms and search, whose reader follows the commit stream as long as `body` runs.
struct SearchFixture: Sendable {
    let rooms: TestRooms
    let accountData: AccountDataService
    let search: SearchService

    static func run(
        on database: any Database, isEnabled: Bool = true, isolation: isolated (any Actor)? = #isolation,
        _ body: (SearchFixture) async throws -> Void
    ) async throws {
        let rooms = try await TestRooms(on: database)
        let accountData = AccountDataService(
            database: database, journal: rooms.journal, pushRules: PushRuleService(database: database, journal: rooms.journal))
        let reader = CommitReader(SearchIndex(), journal: rooms.journal, database: database, logger: DatabaseFixture.logger)
        let fixture = SearchFixture(
            rooms: rooms, accountData: accountData,
            search: SearchService(
                database: database, journal: rooms.journal, rooms: rooms.rooms, events: rooms.events, history: rooms.history,
                accountData: accountData, reader: reader, isEnabled: isEnabled))
        let running = Task { try await reader.run() }
        do {
            try await body(fixture)
        } catch {
            running.cancel()
            throw error
        }
        running.cancel()
        try await running.value
    }

    /// A search with the newest first, unless `change` says otherwise.
    func find(
        _ term: String, by user: UserID, from start: SearchToken? = nil, _ change: (inout SearchRequest) throws -> Void = { _ in }
    ) async throws -> SearchResults {
        var request = SearchRequest(try SearchExpression(searchTerm: term))
        request.order = .recent
        try change(&request)
        return try await search.search(request, from: start, by: user)
    }

    func setState(_ type: ByteString, _ content: JSONObject, in room: RoomID, by user: UserID) async throws {
        try await rooms.rooms.existing(room).send(
            EventDraft(type: type, stateKey: "", content: content, sender: user), from: EventOrigin(user: user))
    }

    func redact(_ event: EventID, in room: RoomID, by user: UserID) async throws {
        try await rooms.rooms.existing(room).send(
            EventDraft(type: "m.room.redaction", content: [:], sender: user, redacts: event), from: EventOrigin(user: user))
    }
}

extension SearchResults {
    /// What was said, in the order of the results.
    var bodies: [String] {
        results.map { result in
            let content = result.event.event.contentIfReadable
            return content?["body"]?.string ?? content?["name"]?.string ?? content?["topic"]?.string ?? "?"
        }
    }
}
