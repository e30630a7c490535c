// The receipts that wait for a server. Server-Server API §Receipts.

import DequeModule
import MatrixCore

/// Receipts in the order in which they came, one per room, user and thread: the newest counts.
package struct PendingReceipts: Sendable {
    /// What one receipt belongs to.
    private struct Key: Hashable {
        let room: RoomID
        let user: UserID
        let thread: ByteString

        init(_ receipt: OutboundReceipt) {
            room = receipt.room
            user = receipt.user
            thread = receipt.thread
        }
    }

    private var newest: [Key: OutboundReceipt] = [:]
    private var order: Deque<Key> = []
    private let limit: Int

    /// - Parameter limit: of more receipts than this the oldest are given up.
    package init(limit: Int = 1000) {
        self.limit = limit
    }

    package var isEmpty: Bool { newest.isEmpty }
    package var count: Int { newest.count }

    package mutating func add(_ receipt: OutboundReceipt) {
        let key = Key(receipt)
        if newest.updateValue(receipt, forKey: key) == nil { order.append(key) }
        while newest.count > limit, let oldest = order.popFirst() { newest[oldest] = nil }
    }

    /// Takes back receipts that were taken and did not arrive. What came meanwhile is newer.
    package mutating func putBack(_ receipts: [OutboundReceipt]) {
        for receipt in receipts.reversed() where newest.count < limit {
            let key = Key(receipt)
            guard newest[key] == nil else { continue }
            newest[key] = receipt
            order.prepend(key)
        }
    }

    /// Takes out receipts for at most `eduLimit` EDUs of at most `receiptLimit` receipts each.
    ///
    /// - Returns: the EDUs, and the receipts in them.
    package mutating func take(eduLimit: Int, receiptLimit: Int = 200) -> (edus: [OutboundEDU], receipts: [OutboundReceipt]) {
        var edus: [OutboundEDU] = []
        var taken: [OutboundReceipt] = []
        while edus.count < eduLimit, !order.isEmpty {
            let receipts = takeOne(receiptLimit)
            edus.append(Self.edu(receipts))
            taken += receipts
        }
        return (edus, taken)
    }

    /// An EDU has room for one receipt per room and user: those of further threads stay for the next.
    private mutating func takeOne(_ limit: Int) -> [OutboundReceipt] {
        struct Place: Hashable {
            let room: RoomID
            let user: UserID
        }
        var places: Set<Place> = []
        var taken: [OutboundReceipt] = []
        var left: Deque<Key> = []
        while taken.count < limit, let key = order.popFirst() {
            if places.insert(Place(room: key.room, user: key.user)).inserted {
                if let receipt = newest.removeValue(forKey: key) { taken.append(receipt) }
            } else {
                left.append(key)
            }
        }
        order.prepend(contentsOf: left)
        return taken
    }

    /// `{room: {"m.read": {user: {"data": …, "event_ids": […]}}}}`
    private static func edu(_ receipts: [OutboundReceipt]) -> OutboundEDU {
        let rooms = Dictionary(grouping: receipts, by: \.room).sorted { $0.key < $1.key }
        return OutboundEDU(type: "m.receipt") { content in
            for (room, receipts) in rooms {
                content.key(room.string)
                content.object { types in
                    types.key("m.read")
                    types.object { users in
                        for receipt in receipts.sorted(by: { $0.user < $1.user }) {
                            users.key(receipt.user.string)
                            users.object { write(receipt, to: &$0) }
                        }
                    }
                }
            }
        }
    }

    private static func write(_ receipt: OutboundReceipt, to writer: inout JSONWriter) {
        writer.key("data")
        writer.object { data in
            if !receipt.thread.isEmpty { data.member("thread_id", receipt.thread) }
            data.member("ts", receipt.time)
        }
        writer.member("event_ids", [receipt.event.string])
    }
}
