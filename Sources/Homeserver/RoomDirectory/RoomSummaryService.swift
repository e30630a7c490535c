// One room as it looks from outside, and the rooms that two people share. Client-Server API §Room summaries, §Mutual rooms.

import MatrixCore
import Persistence
import Rooms

package struct RoomSummaryService: Sendable {
    private let database: any Database
    private let journal: Journal
    private let appearances: RoomAppearanceReader
    private let serverName: ServerName
    private let reader: CommitReader
    private let remote: RemoteSpaces?

    package struct Summary: Sendable {
        package let room: Description
        /// Of the one who asks; nil for who has no account here.
        package let membership: Membership?

        package enum Description: Sendable {
            case local(RoomAppearance)
            /// A room that this server is not in.
            case remote(RemoteRoom)
        }
    }

    package struct MutualRooms: Sendable {
        /// In the order of their ids.
        package let rooms: [RoomID]
        package let nextBatch: String?
        package let total: Int64
    }

    private static let pageLimit = 100

    /// - Parameters:
    ///   - reader: what keeps up to date who is joined where.
    ///   - remote: asks after the rooms that this server is not in; nil: nobody does.
    package init(
        database: any Database, journal: Journal, appearances: RoomAppearanceReader, serverName: ServerName, reader: CommitReader,
        remote: RemoteSpaces? = nil
    ) {
        self.database = database
        self.journal = journal
        self.appearances = appearances
        self.serverName = serverName
        self.reader = reader
        self.remote = remote
    }

    /// - Parameter servers: who may be asked, where this server is not in the room.
    /// - Throws: `M_NOT_FOUND` for a room that is not there or none of the user's business.
    package func summary(of room: RoomID, via servers: [ServerName] = [], for user: UserID?) async throws -> Summary {
        if let snapshot = try await appearances.accessible(room, to: user) {
            return Summary(
                room: .local(try await appearances.appearance(of: snapshot)), membership: user.map { snapshot.membership(of: $0) ?? .leave }
            )
        }
        guard let remote, try await !appearances.isResident(room, serverName),
            let found = await remote.hierarchy(of: room, via: servers, suggestedOnly: false)?.room,
            try await appearances.isAccessible(found, to: user)
        else { throw MatrixError.notFound("Room not found or is not accessible") }
        var membership: Membership?
        if let user {
            membership = try await database.read { try MembershipStore.membership(of: user, in: room, on: $0) } ?? .leave
        }
        return Summary(room: .remote(found), membership: membership)
    }

    /// The rooms that `user` and `other` are both joined to.
    ///
    /// - Parameter from: the token of the page before.
    /// - Throws: `M_INVALID_PARAM`.
    package func mutualRooms(of user: UserID, and other: UserID, from: String?) async throws -> MutualRooms {
        guard user != other else { throw MatrixError.invalidParam("You cannot request a list of shared rooms with yourself") }
        var after = ""
        if let from, !from.isEmpty {
            guard from.utf8.count <= 1000, let bytes = Base64.decode(from, .urlSafe), let room = ByteString(utf8: bytes)?.string,
                !room.utf8.contains(0)
            else { throw MatrixError.invalidParam("Malformed from token") }
            after = room
        }
        await reader.reach(journal.position)
        let (start, isOtherLocal, limit) = (after, other.belongs(to: serverName), RoomSummaryService.pageLimit)
        let (rooms, total) = try await database.read { connection in
            (
                try JoinedMemberStore.mutualRooms(
                    of: user, and: other, isOtherLocal: isOtherLocal, after: start, limit: limit + 1, on: connection),
                try JoinedMemberStore.mutualRoomCount(of: user, and: other, isOtherLocal: isOtherLocal, on: connection)
            )
        }
        let page = Array(rooms.prefix(limit))
        let next = rooms.count > limit ? page.last.map { Base64.encode($0.string.utf8, .urlSafe) } : nil
        return MutualRooms(rooms: page, nextBatch: next, total: total)
    }
}
