// What the sender has to know after a restart, and how much of it is stored.

import MatrixCore
import Persistence
import Synchronization

/// Keeps up to where the commit stream was taken in, who has not got everything up to there, and what must be tidied up in the tables;
/// and stores all of it together, now and then. A server that keeps up costs no write.
///
/// What holds at every moment for what is stored: everything up to the stored position has arrived at every server, but for what comes
/// after the position that is stored with a server, and for messages to devices, which stand in a table of their own. So after a crash
/// nothing is lost; some of what had arrived is sent again, and servers pass over what they have.
package final class SendingLedger: Sendable {
    private struct State {
        /// Everything up to here was taken in.
        var position: StreamPosition = .zero
        var savedPosition: StreamPosition = .zero
        /// The newest event of ours of rooms, as far as it is not stored.
        var sendings: [RoomNID: StreamPosition] = [:]
        /// Everything that had to be sent up to here is in `sendings` or stored.
        var notedUpTo: StreamPosition = .zero
        var savedBacklogs: [ServerName: DestinationBacklogRow] = [:]
        /// Up to where servers have taken messages that are not deleted yet.
        var acknowledged: [ServerName: StreamPosition] = [:]
        /// Servers that have left rooms whose last event they may not have got, and when.
        var departed: [ServerName: StreamPosition] = [:]

        /// These are stored.
        mutating func forget(_ stored: [RoomNID: StreamPosition]) {
            for (room, position) in stored where sendings[room] == position { sendings[room] = nil }
        }
    }

    private let database: any Database
    private let state = Mutex(State())

    package init(database: any Database) {
        self.database = database
    }

    package var position: StreamPosition { state.withLock { $0.position } }

    // MARK: The start

    /// Takes over what is stored; the first time on a database, there is no past to send.
    ///
    /// - Parameters:
    ///   - newest: the last position so far.
    ///   - serverName: this server.
    /// - Returns: who has not got everything.
    package func load(newest: StreamPosition, serverName: ServerName) async throws -> [ServerName: DestinationBacklogRow] {
        let (stored, backlogs, departed) = try await database.write { connection in
            let stored = try CommitReaderStore.position(of: FederationSendingStore.readerName, on: connection)
            if stored == nil {
                try FederationSendingStore.fillServerRooms(except: serverName, on: connection)
                try CommitReaderStore.setPosition(newest, of: FederationSendingStore.readerName, on: connection)
            }
            return (
                stored, try FederationSendingStore.backlogs(on: connection), try FederationSendingStore.departedServers(on: connection)
            )
        }
        state.withLock { state in
            // A position beyond the newest cannot be: it would be one of another database.
            state.position = min(stored ?? newest, newest)
            state.savedPosition = state.position
            state.notedUpTo = state.position
            state.savedBacklogs = backlogs
            for server in departed { state.departed[server] = state.position }
        }
        return backlogs
    }

    // MARK: What happens

    /// An event has to be sent. To be told before any server is told of it.
    package func noteSending(in room: RoomNID, at position: StreamPosition) {
        state.withLock { state in
            state.sendings[room] = max(state.sendings[room] ?? position, position)
            state.notedUpTo = max(state.notedUpTo, position)
        }
    }

    /// The newest event of ours of a room, if it is not stored.
    package func newestSending(in room: RoomNID) -> StreamPosition? { state.withLock { $0.sendings[room] } }

    package func noteDeparture(of server: ServerName, at position: StreamPosition) { state.withLock { $0.departed[server] = position } }

    /// Everything up to `position` was taken in, and is with the destinations.
    package func advance(to position: StreamPosition) {
        state.withLock { state in
            state.position = max(state.position, position)
            state.notedUpTo = max(state.notedUpTo, position)
        }
    }

    /// A server has taken the messages to its devices up to `position`.
    package func acknowledge(_ server: ServerName, upTo position: StreamPosition) {
        state.withLock { $0.acknowledged[server] = position }
    }

    /// Up to where a server has taken messages.
    package func settledMessages(of server: ServerName) -> StreamPosition { state.withLock { $0.acknowledged[server] ?? .zero } }

    /// How far the stored position is behind.
    package var unsavedDistance: Int { state.withLock { $0.savedPosition.distance(to: $0.position) } }

    package var hasAcknowledgements: Bool { state.withLock { !$0.acknowledged.isEmpty } }

    // MARK: Storing

    /// Stores the newest events of rooms.
    ///
    /// - Returns: everything that had to be sent up to there stands in the table now.
    package func flushSendings() async throws -> StreamPosition {
        let (sendings, position) = state.withLock { ($0.sendings, $0.notedUpTo) }
        guard !sendings.isEmpty else { return position }
        try await database.write { try FederationSendingStore.noteSendings(sendings, on: $0) }
        state.withLock { $0.forget(sendings) }
        return position
    }

    /// Stores everything.
    ///
    /// - Parameter backlogs: asked after the position is taken, so that what has not arrived by then is among it.
    package func save(backlogs: @Sendable () -> [ServerName: DestinationBacklogRow]) async throws {
        let before = state.withLock { $0 }
        let current = backlogs()
        var changed: [ServerName: DestinationBacklogRow] = current.filter { before.savedBacklogs[$0.key] != $0.value }
        for server in before.savedBacklogs.keys where current[server] == nil { changed[server] = DestinationBacklogRow() }
        let caughtUp = before.departed.filter { $0.value <= before.position && current[$0.key]?.eventsAfter == nil }
        guard
            before.position != before.savedPosition || !changed.isEmpty || !before.acknowledged.isEmpty || !caughtUp.isEmpty
        else { return }
        let changes = changed
        try await database.write { connection in
            try FederationSendingStore.noteSendings(before.sendings, on: connection)
            for (server, backlog) in changes.sorted(by: { $0.key < $1.key }) {
                try FederationSendingStore.setBacklog(backlog, of: server, on: connection)
            }
            for (server, position) in before.acknowledged { try ToDeviceOutboxStore.delete(to: server, upTo: position, on: connection) }
            if !caughtUp.isEmpty {
                try FederationSendingStore.deleteDeparted(Array(caughtUp.keys), upTo: before.position, on: connection)
            }
            try CommitReaderStore.setPosition(before.position, of: FederationSendingStore.readerName, on: connection)
        }
        state.withLock { state in
            state.savedPosition = before.position
            state.forget(before.sendings)
            state.savedBacklogs = current
            for (server, position) in before.acknowledged where state.acknowledged[server] == position { state.acknowledged[server] = nil }
            for (server, position) in caughtUp where state.departed[server] == position { state.departed[server] = nil }
        }
    }
}
