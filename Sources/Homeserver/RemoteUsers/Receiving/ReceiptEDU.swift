// m.receipt. Server-Server API §Receipts.

import MatrixCore
import Persistence
import Rooms

/// How far users of another server have read.
package struct ReceiptEDU: EDUHandler {
    package let types: [ByteString] = ["m.receipt"]
    private let gate: RoomGate
    private let receipts: ReceiptService

    /// Of one EDU so many receipts are taken in, and of one receipt so many events are looked at.
    private static let receiptLimit = 1000
    private static let eventLimit = 5

    package init(gate: RoomGate, receipts: ReceiptService) {
        self.gate = gate
        self.receipts = receipts
    }

    package func receive(_ content: JSON, from origin: ServerName) async throws {
        var count = 0
        for (name, types) in content.members {
            // Private receipts are for their own server alone.
            guard let id = RoomID(valid: name.string), let read = types[ReceiptType.read.rawValue], read.isObject,
                let room = try await gate.room(id, for: origin)
            else { continue }
            for (name, receipt) in read.members {
                count += 1
                guard count <= Self.receiptLimit else { throw MalformedEDU("more than \(Self.receiptLimit) receipts") }
                guard let user = UserID(valid: name.string), user.belongs(to: origin), room.membership(of: user) == .join else { continue }
                try await take(receipt, of: user, in: room)
            }
        }
    }

    private func take(_ receipt: JSON, of user: UserID, in room: RoomSnapshot) async throws {
        let ids = receipt["event_ids"]?.elements.lazy.compactMap { $0.string.flatMap { EventID(valid: $0) } }
        guard let ids = ids.map({ Array($0.prefix(Self.eventLimit)) }), !ids.isEmpty else { return }
        let data = receipt["data"]
        let thread = data?["thread_id"]?.byteString.flatMap { $0.isEmpty || $0.string.utf8.contains(0) ? nil : $0 }
        // A clock that is ahead does not make a receipt of the future.
        let now = Timestamp.now
        let time = data?["ts"]?.int.map { Timestamp(milliseconds: min(max(0, $0), now.milliseconds)) } ?? now
        try await receipts.take(.read, of: user, at: ids, thread: thread, in: room, time: time)
    }
}
