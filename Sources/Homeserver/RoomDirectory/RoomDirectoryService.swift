// The published room directory. Client-Server API §Listing rooms; Application Service API §Room lists.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Shows the directory in pages, and decides who puts rooms into it.
package final class RoomDirectoryService: Sendable {
    package enum Visibility: String, Sendable, CaseIterable {
        case `public`
        case `private`
    }

    private let database: any Database
    private let journal: Journal
    private let rooms: RoomRegistry
    private let policy: DirectoryPolicy
    private let reader: CommitReader
    /// The number of rooms in each list as it was lately.
    private let counts = Mutex<[RoomListQuery.List: (count: Int64, at: ContinuousClock.Instant)]>([:])

    /// The number of rooms is called an estimate: so long it may be old.
    private static let countLifetime: Duration = .seconds(5)

    /// - Parameter reader: what keeps the directory up to date.
    package init(database: any Database, journal: Journal, rooms: RoomRegistry, policy: DirectoryPolicy, reader: CommitReader) {
        self.database = database
        self.journal = journal
        self.rooms = rooms
        self.policy = policy
        self.reader = reader
    }

    // MARK: Reading

    /// One page of the directory; none at all where the operator has closed it.
    package func page(_ request: RoomListRequest) async throws -> RoomListPage {
        guard policy.isListEnabled else { return .empty }
        // A room that was made before this request is to be in its answer.
        await reader.reach(journal.position)
        let (query, limit) = (request.query, request.limit)
        let known = query.isWholeList ? recentCount(of: query.list) : nil
        let (found, total) = try await database.read { connection in
            (
                try RoomListStore.page(query, limit: limit + 1, on: connection),
                try known ?? RoomListStore.count(query, on: connection)
            )
        }
        if known == nil, query.isWholeList { note(total, of: query.list) }
        return RoomListPage(found, of: request, total: total)
    }

    /// - Throws: `M_NOT_FOUND` for an unknown room.
    package func visibility(of room: RoomID) async throws -> Visibility {
        let row = try await database.read { try RoomStore.room(room, on: $0) }
        guard let row else { throw MatrixError.notFound("Unknown room") }
        return row.published ? .public : .private
    }

    // MARK: Publishing

    /// Puts a room into the directory or takes it out. Administrators may do that, and members who may set the canonical alias.
    ///
    /// - Throws: `M_FORBIDDEN`, `M_NOT_FOUND`.
    package func setPublished(_ roomID: RoomID, _ visibility: Visibility, by requester: Requester) async throws {
        guard !requester.isGuest else { throw MatrixError.forbidden("Guests cannot edit the published room list") }
        guard let room = try await rooms.room(roomID) else { throw MatrixError.notFound("Unknown room") }
        guard requester.isAdmin || room.current.maySetCanonicalAlias(requester.user) else {
            throw MatrixError.forbidden("This server requires you to be a moderator in the room to edit its room list entry")
        }
        let nid = room.nid
        if visibility == .public {
            let aliases = try await database.read { try AliasStore.aliases(of: nid, on: $0) }.map { RoomAlias(trusted: $0) }
            try policy.checkMayPublish(roomID, aliases: aliases, by: requester.user)
        }
        try await database.write { try RoomSummaryStore.setPublished(visibility == .public, nid, on: $0) }
        forgetCounts()
    }

    /// Puts a room into a list of an application service, or takes it out.
    ///
    /// - Throws: `M_NOT_FOUND`.
    package func setPublished(_ roomID: RoomID, _ visibility: Visibility, by service: String, network: String) async throws {
        guard let room = try await rooms.room(roomID) else { throw MatrixError.notFound("Unknown room") }
        let nid = room.nid
        try await database.write {
            try RoomSummaryStore.setPublished(visibility == .public, nid, by: service, network: network, on: $0)
        }
        forgetCounts()
    }

    // MARK: Counts

    private func recentCount(of list: RoomListQuery.List) -> Int64? {
        counts.withLock { counts in
            guard let known = counts[list], known.at.duration(to: .now) < Self.countLifetime else { return nil }
            return known.count
        }
    }

    private func note(_ count: Int64, of list: RoomListQuery.List) {
        counts.withLock { counts in
            // Names of networks come from clients.
            if counts.count >= 100 { counts = [:] }
            counts[list] = (count, .now)
        }
    }

    private func forgetCounts() { counts.withLock { $0 = [:] } }
}

extension RoomListQuery {
    /// Whether it asks for all rooms of a list, from wherever.
    fileprivate var isWholeList: Bool { searchTerm == nil && roomTypes == nil && !isForOtherServers }
}
