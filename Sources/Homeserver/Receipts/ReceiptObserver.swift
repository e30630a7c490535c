// Who goes by what users have read.

import Persistence

/// Is told of receipts when they are durable, before any reader of the commit stream hears of them.
package protocol ReceiptObserver: Sendable {
    /// - Parameters:
    ///   - end: the position of the event at which the receipt stands now.
    ///   - position: of the move itself, in the stream. Must be quick and must not block.
    func didMove(_ receipt: ReceiptKey, in room: RoomNID, to end: StreamPosition, at position: StreamPosition)
}
