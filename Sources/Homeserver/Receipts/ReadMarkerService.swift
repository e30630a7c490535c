// The fully-read marker: room account data `m.fully_read`. Client-Server API §Fully read markers.

import MatrixCore
import Persistence
import Rooms

/// Moves fully-read markers forward.
package final class ReadMarkerService: Sendable {
    private struct Slot: Hashable {
        let user: UserID
        let room: RoomID
    }

    private let accountData: AccountDataService
    private let receipts: ReceiptService
    private let events: EventReader
    /// One move of a marker at a time.
    private let moves = KeyedQueue<Slot>()

    package init(accountData: AccountDataService, receipts: ReceiptService, events: EventReader) {
        self.accountData = accountData
        self.receipts = receipts
        self.events = events
    }

    /// Moves the marker of a user to an event. An event that is not ahead of where it stands changes nothing.
    ///
    /// - Throws: `M_FORBIDDEN` where the user is not in the room, `M_NOT_FOUND` where the event is not there or not to be seen.
    package func set(_ eventID: EventID, in room: RoomID, by user: UserID) async throws {
        let view = try await receipts.memberView(of: room, for: user)
        guard let event = try await receipts.visibleEvent(eventID, in: view) else {
            throw MatrixError.notFound("Could not find event \(eventID) in room \(room)")
        }
        try await moves.run(Slot(user: user, room: room)) {
            if let current = try await current(of: user, in: room), current.position >= event.position { return }
            var writer = JSONWriter()
            writer.object { $0.member("event_id", eventID.string) }
            try await accountData.set(AccountDataService.fullyRead, room: room, content: writer.bytes, of: user)
        }
    }

    /// The event where the marker stands; nil where it stands nowhere, or at an event that is no longer there.
    private func current(of user: UserID, in room: RoomID) async throws -> TimelineEvent? {
        guard let content = try await accountData.content(AccountDataService.fullyRead, room: room, of: user),
            let document = try? JSONDocument(parsing: content), let id = document.root["event_id"]?.string,
            let eventID = try? EventID(parsing: id)
        else { return nil }
        return try await events.event(eventID, in: room)
    }
}
