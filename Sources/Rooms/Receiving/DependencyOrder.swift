// Putting things that stand on each other into an order.

import MatrixCore

/// Orders items so that each comes after those that it stands on.
package enum DependencyOrder {
    /// Keeps the order of the items otherwise. What an item stands on and is not among them is passed over; loops, which only made-up
    /// event IDs of room version 2 can form, are broken somewhere.
    ///
    /// - Parameters:
    ///   - id: under which others name an item.
    ///   - foundations: what an item stands on.
    package static func sorted<Item, ID: Hashable>(
        _ items: [Item], id: (Item) -> ID, foundations: (Item) -> [ID]
    ) -> [Item] {
        var indices: [ID: Int] = [:]
        for (index, item) in items.enumerated() { indices[id(item)] = index }
        var sorted: [Item] = []
        sorted.reserveCapacity(items.count)
        var visited: Set<ID> = []
        // A stack of its own: a chain of events is longer than a thread's stack.
        for first in items where visited.insert(id(first)).inserted {
            var path: [(item: Item, foundations: [ID], next: Int)] = [(first, foundations(first), 0)]
            while let (item, below, next) = path.last {
                guard next < below.count else {
                    sorted.append(item)
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next = next + 1
                guard let index = indices[below[next]], visited.insert(below[next]).inserted else { continue }
                path.append((items[index], foundations(items[index]), 0))
            }
        }
        return sorted
    }
}

/// The order in which events can be checked: each after those that it names as its auth events.
package enum AuthOrder {
    package static func sorted(_ events: [Event]) -> [Event] {
        DependencyOrder.sorted(events, id: \.id, foundations: \.authEvents)
    }
}
