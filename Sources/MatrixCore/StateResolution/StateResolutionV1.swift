// The algorithm of room version 1. Rooms v1 §State resolution.

import Crypto

/// Resolves conflicts by the depth that events claim. Events are checked against the unconflicted state and against what was
/// resolved before them: power levels, join rules, members, and all others.
///
/// Where the specification's text leaves something open, it is decided as Synapse does, with which the rooms of this version were
/// made: an entry that some forks lack is no conflict; members do not see each other's resolution; of events that are all
/// refused the lowest stands. Rejected events do not take part.
struct StateResolutionV1: Sendable {
    /// The holders of all conflicted entries.
    func resolve(_ graph: inout AuthGraph) throws(ResolutionPause) -> StateMap {
        let candidates = graph.forks.conflicts.mapValues { Set($0.compactMap(\.self)) }
        var resolved = candidates.filter { $0.value.count == 1 }.compactMapValues(\.first)
        let conflicted = candidates.filter { $0.value.count > 1 }

        try graph.load(conflicted.values.joined())
        var conflicts: [StateKey: [Event]] = [:]
        for (key, ids) in conflicted {
            let events = ids.compactMap { graph[$0] }.filter { !$0.isRejected }.map(\.event)
            if events.count > 1 { conflicts[key] = Self.ordered(events) }
            if events.count == 1 { resolved[key] = events[0].id }
        }

        let keys = Set(conflicts.values.joined().flatMap { graph.parsed.authKeys(of: $0) })
        try graph.loadEntries(keys)
        // An entry for which only one event is known is taken, but nothing is authorized by it.
        let holders = keys.reduce(into: StateMap()) { holders, key in
            holders[key] = graph.unconflicted(key) ?? (conflicted[key] == nil ? resolved[key] : nil)
        }
        try graph.load(holders.values)
        var state = holders.compactMapValues { graph[$0].flatMap { $0.isRejected ? nil : $0.event } }

        for pass in Pass.allCases {
            let winners = conflicts.filter { pass == Pass(of: $0.key) }.mapValues { events in
                pass == .others ? Self.firstAllowed(events, state, &graph) : Self.lastOfAllowedChain(events, state, &graph)
            }
            state.merge(winners) { $1 }
            resolved.merge(winners.mapValues(\.id)) { $1 }
        }
        return resolved
    }

    private enum Pass: CaseIterable {
        case powerLevels, joinRules, members, others

        init(of key: StateKey) {
            switch key.type {
            case "m.room.power_levels" where key.stateKey == "": self = .powerLevels
            case "m.room.join_rules": self = .joinRules
            case "m.room.member": self = .members
            default: self = .others
            }
        }
    }

    /// By descending depth, then ascending SHA-1 of the event ID. The specification's lists are this one read backwards.
    private static func ordered(_ events: [Event]) -> [Event] {
        let hashed = events.map { event in
            (event: event, hash: Array(event.id.text.withBytes { Insecure.SHA1.hash(data: $0) }))
        }
        return hashed.sorted { a, b in
            a.event.depth == b.event.depth ? a.hash.lexicographicallyPrecedes(b.hash) : a.event.depth > b.event.depth
        }.map(\.event)
    }

    /// From the lowest event up, each allowed by a state with the one before it; the last before one is refused.
    private static func lastOfAllowedChain(_ events: [Event], _ state: [StateKey: Event], _ graph: inout AuthGraph) -> Event {
        var state = state
        var winner = events[events.count - 1]
        for event in events.dropLast().reversed() {
            if let key = winner.key { state[key] = winner }
            guard isAllowed(event, state, &graph) else { return winner }
            winner = event
        }
        return winner
    }

    /// The highest that is allowed; the lowest if none is.
    private static func firstAllowed(_ events: [Event], _ state: [StateKey: Event], _ graph: inout AuthGraph) -> Event {
        events.first { isAllowed($0, state, &graph) } ?? events[events.count - 1]
    }

    private static func isAllowed(_ event: Event, _ state: [StateKey: Event], _ graph: inout AuthGraph) -> Bool {
        ConsideredState(state, version: graph.version, &graph.parsed).allows(event, version: graph.version)
    }
}
