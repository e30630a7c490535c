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

    /// Who came into rooms and left them in a run of events, and when.
    private struct Moves: Sendable {
        private var remote: [UserID: [StreamPosition]] = [:]
        /// The rooms that users of this server came into or left.
        private var local: [RoomNID: [StreamPosition]] = [:]

        var isEmpty: Bool { remote.isEmpty && local.isEmpty }

        mutating func note(_ event: TimelineEvent, _ serverName: ServerName) {
            guard let membership = event.membership, (membership == .join) != (event.previousMembership == .join),
                let user = event.stateKey.flatMap({ UserID(valid: $0.string) })
            else { return }
            if user.belongs(to: serverName) {
                local[event.roomNID, default: []].append(event.position)
            } else {
                remote[user, default: []].append(event.position)
            }
        }

        /// Those who are followed, and with whom perhaps no room was shared all the time since their lists were asked for.
        func strangers(on connection: any SQLConnection) throws -> [UserID] {
            var doubtful: [UserID: RemoteDeviceListRow] = [:]
            func check(_ lists: [RemoteDeviceListRow], _ moves: (RemoteDeviceListRow) -> [StreamPosition]) throws {
                for list in lists {
                    guard let first = moves(list).first(where: { $0 > list.position }) else { continue }
                    if try SharedRoomStore.known([list.user], sinceBefore: first, on: connection).isEmpty { doubtful[list.user] = list }
                }
            }
            if !remote.isEmpty {
                try check(RemoteDeviceStore.lists(of: Array(remote.keys), on: connection)) { remote[$0.user] ?? [] }
            }
            for (room, positions) in local {
                // Where others of this server were in the room all the time, nothing has changed.
                let moves = try positions.filter { try !SharedRoomStore.isLocal(room, sinceBefore: $0, on: connection) }
                if !moves.isEmpty { try check(RemoteDeviceStore.lists(in: room, on: connection)) { _ in moves } }
            }
            // A list that is stale already stays so as long as a room is shared: clients have still to be told of what was missed.
            let stale = doubtful.values.filter(\.isStale).map(\.user)
            let kept = stale.isEmpty ? [] : Set(try SharedRoomStore.known(stale, on: connection))
            return doubtful.keys.filter { !kept.contains($0) }.sorted()
        }
    }
}
