// Which servers have something to do with a room. Server-Server API; Client-Server API §Server Access Control Lists.

import MatrixCore
import Persistence

extension RoomSnapshot {
    /// Whether a user of `server` is joined: the server takes part in the room.
    package func isJoined(by server: ServerName) -> Bool {
        servers[server] != nil
    }

    /// The servers in the room, those with most members first, at most `limit`.
    package func servers(limit: Int) -> [ServerName] {
        servers.sorted { ($0.value, $1.key.string) > ($1.value, $0.key.string) }.prefix(limit).map(\.key)
    }

    /// Whether the room's access control list lets `server` take part. Client-Server API §Server Access Control Lists (ACLs) for rooms.
    package func allows(_ server: ServerName) -> Bool { serverACL?.allows(server) ?? true }

    /// Whether a user of `server` has a membership that `isWanted`. Costs a walk over the state until there is one.
    package func hasMember(of server: ServerName, where isWanted: (Membership) -> Bool) -> Bool {
        state.contains { key, entry in
            guard let membership = entry.membership, isWanted(membership) else { return false }
            return UserID(trusted: key.stateKey.string).belongs(to: server)
        }
    }

    /// A user with any membership.
    package struct Member: Sendable {
        package let user: UserID
        package let entry: StateEntry
    }

    /// The users of `server` who have or had something to do with the room, oldest member event first.
    package func members(of server: ServerName) -> [Member] {
        var members: [Member] = []
        for (key, entry) in state where entry.membership != nil {
            let user = UserID(trusted: key.stateKey.string)
            if user.belongs(to: server) { members.append(Member(user: user, entry: entry)) }
        }
        return members.sorted { $0.entry.nid < $1.entry.nid }
    }
}
