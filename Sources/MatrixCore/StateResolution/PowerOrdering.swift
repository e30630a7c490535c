// Which events decide over others' power, and in which order. Rooms v2, v12 §State resolution, "power events", "reverse
// topological power ordering".

enum PowerOrdering {
    /// Whether `event` might take away someone's ability to do something.
    ///
    /// Create events count, as they do in other servers: that makes a difference only where states disagree on them.
    static func isPowerEvent(_ event: Event) -> Bool {
        switch event.type {
        case "m.room.power_levels", "m.room.join_rules", "m.room.create":
            event.stateKey == ""
        case "m.room.member":
            (event.membership == .leave || event.membership == .ban) && event.sender.text != event.stateKey
        default:
            false
        }
    }

    /// The power events among the full conflicted set, with those in their auth chains that belong to the set. As in other
    /// servers, the chains are followed as long as they stay in the set.
    static func powerEvents(among conflicted: [EventID: Event], _ graph: AuthGraph) -> [EventID: Event] {
        var found = conflicted.filter { isPowerEvent($0.value) }
        var pending = Array(found.values)
        while let event = pending.popLast() {
            for id in graph.authEventIDs(of: event) where found[id] == nil {
                guard let cited = conflicted[id] else { continue }
                found[id] = cited
                pending.append(cited)
            }
        }
        return found
    }

    /// The events from earliest to latest: Kahn's algorithm, which takes the least of all whose auth events have been taken.
    ///
    /// Events on a cycle, and those that cite one, never have their turn and are left out.
    static func sorted(_ events: [EventID: Event], _ graph: inout AuthGraph) -> [Event] {
        var citing: [EventID: [EventID]] = [:]
        var waitsFor: [EventID: Int] = [:]
        var ready = PriorityQueue<Candidate>()
        for (id, event) in events {
            let cited = Set(graph.authEventIDs(of: event)).filter { events[$0] != nil }
            for other in cited { citing[other, default: []].append(id) }
            waitsFor[id] = cited.count
            if cited.isEmpty { ready.push(Candidate(event, &graph)) }
        }
        var sorted: [Event] = []
        sorted.reserveCapacity(events.count)
        while let next = ready.pop() {
            sorted.append(next.event)
            for id in citing[next.event.id] ?? [] {
                let count = (waitsFor[id] ?? 0) - 1
                waitsFor[id] = count
                if count == 0, let event = events[id] { ready.push(Candidate(event, &graph)) }
            }
        }
        return sorted
    }

    /// An event with the level of its sender by its own auth events.
    private struct Candidate: Comparable {
        let event: Event
        let senderLevel: PowerLevel

        init(_ event: Event, _ graph: inout AuthGraph) {
            self.event = event
            let authEvents = graph.authEvents(of: event).map(\.event)
            let powerLevels = graph.parsed.powerLevels(
                authEvents.last { $0.key == .powerLevels }, create: authEvents.last { $0.key == .create }, version: graph.version)
            senderLevel = powerLevels.level(of: event.sender)
        }

        static func < (a: Candidate, b: Candidate) -> Bool {
            if a.senderLevel != b.senderLevel { return a.senderLevel > b.senderLevel }
            return a.event.precedesByTime(b.event)
        }

        static func == (a: Candidate, b: Candidate) -> Bool { a.event.id == b.event.id }
    }
}

extension Event {
    /// The order in which ties are broken: the lesser `origin_server_ts`, then the lesser event ID.
    func precedesByTime(_ other: Event) -> Bool {
        originServerTimestamp == other.originServerTimestamp
            ? id < other.id : originServerTimestamp.milliseconds < other.originServerTimestamp.milliseconds
    }
}

/// A binary heap: the least element first.
struct PriorityQueue<Element: Comparable> {
    private var heap: [Element] = []

    mutating func push(_ element: Element) {
        heap.append(element)
        var child = heap.count - 1
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> Element? {
        guard let least = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return least }
        heap[0] = last
        var parent = 0
        while true {
            var lesser = 2 * parent + 1
            guard lesser < heap.count else { return least }
            if lesser + 1 < heap.count, heap[lesser + 1] < heap[lesser] { lesser += 1 }
            guard heap[lesser] < heap[parent] else { return least }
            heap.swapAt(lesser, parent)
            parent = lesser
        }
    }
}
