// The order of all events that are no power events. Rooms v2, v12 §State resolution, "mainline ordering".

/// The history of the power levels, as far back as the events that are to be ordered ask for.
///
/// The mainline is the resolved power levels event, the one among its auth events, and so on. An event's mainline position is that
/// of the first event which its own line of power levels has in common with it. Both lines are walked back in step and no
/// further than to where they meet; lines that join share the rest of the way.
struct Mainline: Sendable {
    /// The position of each power levels event that is decided; 0 is the resolved one.
    private var positions: [EventID: Int] = [:]
    /// The last event of the mainline so far; `nil` when it has no predecessor.
    private var tip: EventID?
    private var length = 0
    /// Events on lines, not decided, by the event that each of them cites. A key that is not decided either is on a line itself.
    private var undecided: [EventID: [EventID]] = [:]
    private var undecidedCount = 0
    private var visited: Set<EventID> = []
    /// The ends of the lines.
    private var walkers: [EventID] = []
    private var isStarted = false

    /// Walks as far as the positions of `events` demand.
    mutating func walk(from powerLevels: EventID?, for events: [Event], _ graph: inout AuthGraph) throws(ResolutionPause) {
        if !isStarted {
            isStarted = true
            if let powerLevels { append(powerLevels) }
            for event in events {
                if let first = Self.powerLevels(citedBy: event, graph), positions[first] == nil, visited.insert(first).inserted {
                    undecidedCount += 1
                    walkers.append(first)
                }
            }
        }
        // Without a mainline no event has a position.
        guard length > 0 else { return }
        while !walkers.isEmpty || (tip != nil && undecidedCount > 0) {
            try load(walkers + [tip].compactMap(\.self), &graph)
            if let last = tip {
                tip = nil
                if let next = Self.powerLevels(citedBy: graph[last]?.event, graph) { append(next) }
            }
            let ends = walkers.filter { positions[$0] == nil }
            walkers = []
            for end in ends {
                guard let next = Self.powerLevels(citedBy: graph[end]?.event, graph) else { continue }
                undecided[next, default: []].append(end)
                if let position = positions[next] {
                    decide(next, position)
                } else if visited.insert(next).inserted {
                    undecidedCount += 1
                    walkers.append(next)
                }
            }
        }
    }

    /// The events in mainline order. Those that are based on no event of the mainline come first.
    func sorted(_ events: [Event], _ graph: AuthGraph) -> [Event] {
        let placed = events.map { event in
            (event: event, position: Self.powerLevels(citedBy: event, graph).flatMap { positions[$0] } ?? .max)
        }
        return placed.sorted { a, b in
            a.position == b.position ? a.event.precedesByTime(b.event) : a.position > b.position
        }.map(\.event)
    }

    /// Loads events and what they cite: which of it is the power levels event can only be seen then.
    private func load(_ ids: [EventID], _ graph: inout AuthGraph) throws(ResolutionPause) {
        try graph.load(ids)
        try graph.load(ids.flatMap { id in graph[id].map { graph.authEventIDs(of: $0.event) } ?? [] })
    }

    /// The next event of the mainline; nothing when it was on the mainline already, which is a cycle.
    private mutating func append(_ id: EventID) {
        guard positions[id] == nil else { return }
        tip = id
        if visited.contains(id) { undecidedCount -= 1 }
        positions[id] = length
        decide(id, length)
        length += 1
    }

    /// Gives the position of `id` to all lines that lead to it.
    private mutating func decide(_ id: EventID, _ position: Int) {
        var pending = undecided.removeValue(forKey: id) ?? []
        while let next = pending.popLast() {
            guard positions[next] == nil else { continue }
            positions[next] = position
            undecidedCount -= 1
            pending += undecided.removeValue(forKey: next) ?? []
        }
    }

    private static func powerLevels(citedBy event: Event?, _ graph: AuthGraph) -> EventID? {
        guard let event else { return nil }
        return graph.authEvents(of: event).first { $0.event.key == .powerLevels }?.event.id
    }
}
