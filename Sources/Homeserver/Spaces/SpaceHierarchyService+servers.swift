// A space as another server shows it to its users. Server-Server API §Spaces.

import MatrixCore
import Persistence
import Rooms

extension SpaceHierarchyService {
    /// One space with its children. It is for the other server to walk on, and to leave out what its user may not see.
    package struct ServerView: Sendable {
        package let space: Room
        package let children: [RoomAppearance]
        /// Children that nobody of the other server could join or read.
        package let inaccessible: [RoomID]
    }

    /// So many children of a space are looked at, as with Synapse.
    private static let serverChildLimit = 50

    /// - Throws: `M_NOT_FOUND` for a space that is not there or none of the other server's business.
    package func view(of room: RoomID, suggestedOnly: Bool, for server: ServerName) async throws -> ServerView {
        guard let space = try await accessible(room, to: server) else { throw MatrixError.notFound("Unknown room: \(room)") }
        let children = try await children(of: space).filter { $0.isSuggested || !suggestedOnly }
        var shown: [RoomSnapshot] = []
        var inaccessible: [RoomID] = []
        for child in children.prefix(Self.serverChildLimit) {
            // A room that this server is not in, another one tells of.
            guard try await appearances.isResident(child.room, serverName) else { continue }
            if let snapshot = try await accessible(child.room, to: server) {
                shown.append(snapshot)
            } else {
                inaccessible.append(child.room)
            }
        }
        let all = try await appearances.appearances(of: [space] + shown)
        guard let first = all.first else { throw MatrixError.internalError }
        return ServerView(
            space: Room(appearance: first, children: children.map(\.json)), children: Array(all.dropFirst()), inaccessible: inaccessible)
    }

    private func accessible(_ room: RoomID, to server: ServerName) async throws -> RoomSnapshot? {
        guard let snapshot = try await appearances.accessible(room, toServer: server), snapshot.allows(server) else {
            return nil
        }
        return snapshot
    }
}
