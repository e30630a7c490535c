// Who has to do with whom.

import MatrixCore
import Persistence

/// Says who shares a room with whom.
package struct SharedRooms: Sendable {
    private let database: any Database
    private let serverName: ServerName

    package init(database: any Database, serverName: ServerName) {
        self.database = database
        self.serverName = serverName
    }

    /// Those of `candidates` who are joined to a room that `viewer`, a user of this server, is joined to.
    package func companions(of viewer: UserID, among candidates: Set<UserID>) async throws -> Set<UserID> {
        if candidates.isEmpty { return [] }
        let local = candidates.filter { $0.belongs(to: serverName) }
        let remote = candidates.subtracting(local)
        return try await database.read { connection in
            var sharing: Set<UserID> = []
            if !local.isEmpty { sharing.formUnion(try DeviceListStore.sharingRoom(with: viewer, among: Array(local), on: connection)) }
            if !remote.isEmpty { sharing.formUnion(try SharedRoomStore.companions(of: viewer, among: Array(remote), on: connection)) }
            return sharing
        }
    }

    // MARK: Users of other servers

    /// Those of `candidates` who share a room with a user of this server.
    package func known(_ candidates: [UserID]) async throws -> Set<UserID> {
        guard !candidates.isEmpty else { return [] }
        return Set(try await database.read { try SharedRoomStore.known(candidates, on: $0) })
    }
}
