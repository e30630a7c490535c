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
        // Who is no longer in the room hears of nothing that came after its last event there.
        guard room.current.isJoined(by: server) else { return [OutboundPDU(newest)] }
        let ends = try await ends(of: roomID)
        if ends.contains(where: { $0.id == newest.id }) { return [OutboundPDU(newest)] }
        let erased = try await rooms.environment.erasedUsers.all()
        let news = ends.filter { $0.position > position && !erased.contains($0.sender) }
        return news.isEmpty ? [OutboundPDU(newest)] : news.map { OutboundPDU($0) }
    }

    /// The events that nothing has followed yet. Who is in the room now may see them.
    private func ends(of room: RoomID) async throws -> [FederationSendingStore.MissedEvent] {
        try await database.read { connection in
            guard let row = try RoomStore.room(room, on: connection) else { return [] }
            return try FederationSendingStore.events(row.forwardExtremities, on: connection)
        }
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

extension OutboundPDU {
    fileprivate init(_ event: FederationSendingStore.MissedEvent) {
        self.init(position: event.position, json: event.json)
    }
}
