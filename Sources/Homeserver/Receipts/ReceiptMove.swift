// The record of a receipt that moves forward.

import MatrixCore
import Persistence
import Rooms

/// Writing it twice at one position changes nothing more.
struct ReceiptMove: JournalRecord {
    let room: RoomID
    let nid: RoomNID
    let key: ReceiptKey
    let mark: ReceiptMark

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try ReceiptStore.advance(key, in: nid, to: mark, position: position, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: .receipt(room: room, user: key.user))
    }
}
