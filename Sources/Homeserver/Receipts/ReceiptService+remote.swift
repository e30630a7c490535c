// Receipts of users of other servers. Server-Server API §Receipts.

import MatrixCore
import Persistence
import Rooms

extension ReceiptService {
    /// Moves the receipt of another server's user, who is in the room, to the newest of some events. Events that are not in the room's
    /// timeline, or not in the thread, count for nothing.
    package func take(
        _ type: ReceiptType, of user: UserID, at ids: [EventID], thread: ByteString?, in room: RoomSnapshot, time: Timestamp
    ) async throws {
        var newest: TimelineEvent?
        for id in ids {
            guard let event = try await events.event(id, in: room.roomID), thread.map({ ThreadMembership.allows($0, at: event) }) ?? true,
                newest.map({ event.position > $0.position }) ?? true
            else { continue }
            newest = event
        }
        guard let newest else { return }
        let slot = Slot(room: room.nid, key: ReceiptKey(user: user, type: type.name, thread: thread ?? ""))
        try await advance(slot, in: room.roomID, to: ReceiptMark(event: newest.id, eventPosition: newest.position, time: time))
    }
}
