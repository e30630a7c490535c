// What a server has missed, read from the database.

import MatrixCore
import Persistence
import Rooms

/// As in Synapse, a server that comes back gets the newest event of each room in which there is news of ours, one room after the other, and
/// asks for the rest itself. Where others have said something since, it gets the ends of the room instead.
package struct StoredBacklog: BacklogReader {
    private let database: any Database
    private let journal: Journal
    private let rooms: RoomRegistry
    private let ledger: SendingLedger
    private let deviceUpdates: DeviceUpdates

    package init(database: any Database, journal: Journal, rooms: RoomRegistry, ledger: SendingLedger, deviceUpdates: DeviceUpdates) {
        self.database = database
        self.journal = journal
        self.rooms = rooms
        self.ledger = ledger
        self.deviceUpdates = deviceUpdates
    }

    // MARK: Events

    package func missedRooms(
        of server: ServerName, after position: StreamPosition, limit: Int
    ) async throws -> (rooms: [MissedRoomRow], upTo: StreamPosition) {
        let end = try await ledger.flushSendings()
        let rooms = try await database.read { connection in
            try FederationSendingStore.missedRooms(of: server, after: position, limit: limit, on: connection)
        }
        return (rooms, end)
    }

    package func missedEvents(
        of server: ServerName, in missed: MissedRoomRow, after position: StreamPosition
    ) async throws -> [OutboundPDU] {
        let (roomID, newest) = try await database.read { connection in
            (
                try RoomStore.ids(of: [missed.room], on: connection)[missed.room],
                try FederationSendingStore.event(at: missed.position, on: connection)
            )
        }
        guard let roomID, let newest, let room = try await rooms.room(roomID) else { return [] }
        let own = [OutboundPDU(position: missed.position, json: newest.json)]
        // Who is no longer in the room hears of nothing that came after its last event there.
        guard room.current.isJoined(by: server) else { return own }
        let sight = ServerSight(server: server, room: room.current, erased: try await rooms.environment.erasedUsers.all())
        let ends = try await database.read { connection -> [PDURow] in
            let ends = try RoomStore.room(roomID, on: connection)?.forwardExtremities ?? []
            if ends.contains(newest.id) { return [] }
            let rows = try PDUStore.rows(ends, in: missed.room, on: connection).filter(\.flags.isEmpty)
            return try sight.visible(rows, on: connection)
        }
        let news = ends.compactMap { row in row.position.map { OutboundPDU(position: $0, json: row.json) } }
            .filter { $0.position > position }.sorted { $0.position < $1.position }
        return news.isEmpty ? own : news
    }

    // MARK: Devices

    package func deviceUpdates(
        for server: ServerName, after position: StreamPosition, limit: Int
    ) async throws -> (updates: [OutboundDeviceUpdate], upTo: StreamPosition, isComplete: Bool) {
        let end = journal.position
        let deviceUpdates = deviceUpdates
        return try await database.read { connection in
            let changes = try DeviceListStore.announcements(for: server, after: position, upTo: end, limit: limit, on: connection)
            let updates = try deviceUpdates.updates(for: changes, from: position.next, on: connection)
            return (updates, end, changes.count < limit)
        }
    }

    package func messages(to server: ServerName, after position: StreamPosition, limit: Int) async throws -> [OutboundDeviceMessage] {
        try await database.read { connection in
            try ToDeviceOutboxStore.messages(to: server, after: position, limit: limit, on: connection)
        }.map { OutboundDeviceMessage(position: $0.position, edu: OutboundEDU(json: $0.json)) }
    }
}
