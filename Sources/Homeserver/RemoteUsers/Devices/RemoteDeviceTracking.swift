// The end of following: nobody tells this server of the devices of those with whom it shares no room.

import MatrixCore
import Persistence
import Rooms

/// Forgets the lists of users with whom, for a moment at least, no room was shared. It sees only who is where now: where it cannot tell that
/// some room was shared all the time, it forgets, and the list is fetched when somebody asks for it.
package struct RemoteDeviceTracking: CommitHandler {
    package let name = "remote devices"
    private let database: any Database
    private let serverName: ServerName

    package init(database: any Database, serverName: ServerName) {
        self.database = database
        self.serverName = serverName
    }

    /// Before the first start no list is followed.
    package func begin(newest: StreamPosition) async throws -> StreamPosition { newest }

    package func take(_ commits: [Commit]) async throws -> CommitOutcome {
        var moves = Moves()
        for event in commits.events { moves.note(event, serverName) }
        guard !moves.isEmpty else { return .nothing }
        let seen = moves
        // Nearly always nobody is to be forgotten, and nothing has to be written.
        guard try await database.read({ try !seen.strangers(on: $0).isEmpty }) else { return .nothing }
        return .write { connection in try RemoteDeviceStore.forget(seen.strangers(on: connection), on: connection) }
    }

    /// Who came into rooms and left them in a run of events, and when first.
    private struct Moves: Sendable {
        private var remote: [UserID: StreamPosition] = [:]
        /// The rooms that users of this server came into or left.
        private var local: [RoomNID: StreamPosition] = [:]

        var isEmpty: Bool { remote.isEmpty && local.isEmpty }

        mutating func note(_ event: TimelineEvent, _ serverName: ServerName) {
            guard let membership = event.membership, (membership == .join) != (event.previousMembership == .join),
                let user = event.stateKey.flatMap({ UserID(valid: $0.string) })
            else { return }
            if user.belongs(to: serverName) {
                local[event.roomNID] = local[event.roomNID] ?? event.position
            } else {
                remote[user] = remote[user] ?? event.position
            }
        }

        /// Those who are followed, and with whom perhaps no room was shared all the time.
        func strangers(on connection: any SQLConnection) throws -> [UserID] {
            var strangers: Set<UserID> = []
            func add(_ users: [UserID], unlessKnownSinceBefore position: StreamPosition) throws {
                guard !users.isEmpty else { return }
                let known = Set(try SharedRoomStore.known(users, sinceBefore: position, on: connection))
                strangers.formUnion(users.filter { !known.contains($0) })
            }
            if !remote.isEmpty {
                for user in try RemoteDeviceStore.followed(Array(remote.keys), on: connection) {
                    if let position = remote[user] { try add([user], unlessKnownSinceBefore: position) }
                }
            }
            for (room, position) in local where try !SharedRoomStore.isLocal(room, sinceBefore: position, on: connection) {
                // This server came into the room, or left it.
                try add(RemoteDeviceStore.followed(in: room, on: connection), unlessKnownSinceBefore: position)
            }
            return strangers.sorted()
        }
    }
}
