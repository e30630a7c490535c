// When which waiting sync has to be answered with nothing: one structure for all of them.

import HeapModule

/// Elements in order of their deadlines, in slots of some milliseconds: adding and removing one costs the same for ten and for
/// ten thousand, and all that fall into one slot are due together. An element is due at its deadline or up to a slot later.
package struct DeadlineQueue<Element> {
    /// Names one element, to take it out early.
    package struct Ticket: Hashable, Sendable {
        fileprivate let slot: Int64
        fileprivate let number: UInt64
    }

    private var slots: [Int64: [UInt64: Element]] = [:]
    /// Every slot that exists, each once; slots may have become empty.
    private var order = Heap<Int64>()
    private var lastNumber: UInt64 = 0
    private let slotLength: Int64
    package private(set) var count = 0

    /// - Parameter slotLength: milliseconds.
    package init(slotLength: Int64 = 50) {
        self.slotLength = slotLength
    }

    /// - Parameter deadline: milliseconds on the caller's clock.
    package mutating func insert(_ element: Element, deadline: Int64) -> Ticket {
        lastNumber += 1
        let slot = DeadlineQueue.slot(of: deadline, slotLength)
        if slots[slot] == nil { order.insert(slot) }
        slots[slot, default: [:]][lastNumber] = element
        count += 1
        return Ticket(slot: slot, number: lastNumber)
    }

    /// Takes an element out before it is due. Does nothing when it was due already.
    @discardableResult
    package mutating func remove(_ ticket: Ticket) -> Element? {
        guard let element = slots[ticket.slot]?.removeValue(forKey: ticket.number) else { return nil }
        count -= 1
        return element
    }

    /// The time at which the next elements are due; nil when there are none.
    package mutating func nextDeadline() -> Int64? {
        while let slot = order.min {
            if slots[slot]?.isEmpty == false { return slot * slotLength }
            slots[slot] = nil
            order.removeMin()
        }
        return nil
    }

    /// Takes out everything that is due at `now`.
    package mutating func removeDue(at now: Int64) -> [Element] {
        var due: [Element] = []
        while let slot = order.min, slot * slotLength <= now {
            order.removeMin()
            if let elements = slots.removeValue(forKey: slot) { due.append(contentsOf: elements.values) }
        }
        count -= due.count
        return due
    }

    /// Takes out everything.
    package mutating func removeAll() -> [Element] {
        let all = slots.values.flatMap(\.values)
        slots.removeAll()
        order = Heap()
        count = 0
        return all
    }

    /// The slot that begins at or after the deadline.
    private static func slot(of deadline: Int64, _ slotLength: Int64) -> Int64 {
        let (quotient, remainder) = deadline.quotientAndRemainder(dividingBy: slotLength)
        return remainder > 0 ? quotient + 1 : quotient
    }
}
