// Finding people. Client-Server API §User Directory.

import MatrixCore
import Persistence
import Rooms
import ServerConfiguration

/// Searches the user directory: those who share a room with the searcher or are in a public one, or everyone, as the operator wishes.
package struct UserDirectoryService: Sendable {
    private let database: any Database
    private let journal: Journal
    private let options: UserDirectoryOptions
    private let reader: CommitReader

    package struct Results: Sendable {
        /// Best first.
        package let users: [UserDirectoryRow]
        /// There are more.
        package let isLimited: Bool
    }

    package static let defaultLimit = 10
    private static let resultLimit: Int64 = 50

    /// - Parameter reader: what keeps the directory up to date.
    package init(database: any Database, journal: Journal, options: UserDirectoryOptions, reader: CommitReader) {
        self.database = database
        self.journal = journal
        self.options = options
        self.reader = reader
    }

    package var isEnabled: Bool { options.isEnabled }

    /// - Parameter limit: how many users are wanted; never more than 50 come.
    package func search(_ term: String, limit: Int64, by searcher: UserID) async throws -> Results {
        let limit = Int(min(max(limit, 0), UserDirectoryService.resultLimit))
        let query = query(term, by: searcher)
        guard options.isEnabled, !query.words.isEmpty else { return Results(users: [], isLimited: false) }
        await reader.reach(journal.position)
        let found = try await database.read { try UserDirectoryStore.search(query, limit: limit + 1, on: $0) }
        return Results(users: Array(found.prefix(limit)), isLimited: found.count > limit)
    }

    /// What is typed, in words. A whole id, or the beginning of one, is a name and a server.
    private func query(_ term: String, by searcher: UserID) -> UserDirectoryQuery {
        var query = UserDirectoryQuery(searcher: searcher)
        query.searchesAll = options.searchesAllUsers
        query.showsLocked = options.showsLockedUsers
        query.excludesRemote = options.excludesRemoteUsers
        query.prefersLocal = options.prefersLocalUsers
        var name = Substring(term)
        if term.utf8.first == UInt8(ascii: "@"), let colon = term.utf8.firstIndex(of: UInt8(ascii: ":")) {
            name = term[..<colon]
            let server = storable(String(term[term.utf8.index(after: colon)...]))
            if !server.isEmpty, server.utf8.count <= 255 { query.serverPrefix = server }
        }
        query.words = SearchWords.query(String(name))
        return query
    }
}
