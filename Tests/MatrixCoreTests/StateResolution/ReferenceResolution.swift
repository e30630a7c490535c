import MatrixCore

/// State resolution as the specification's text has it, sentence by sentence and without regard to cost: whole auth chains,
/// whole states. What the real one must agree with.
///
/// Rooms v2 §State resolution, Rooms v12 §State resolution. As all servers do, it counts a state's events as part of its auth chain
/// and the create event as a power event.
struct ReferenceResolution {
    let room: SimulatedRoom

    var version: RoomVersion { room.version }
    var startsEmpty: Bool { version.stateResolution == .v2_1 }

    func resolve(_ states: [StateMap]) -> StateMap {
        let keys = Set(states.flatMap(\.keys))
        var unconflicted: StateMap = [:]
        var conflicted: Set<EventID> = []
        for key in keys {
            let holders = Set(states.map { $0[key] })
            if holders.count == 1, let only = holders.first {
                unconflicted[key] = only
            } else {
                conflicted.formUnion(holders.compactMap(\.self))
            }
        }
        guard !conflicted.isEmpty else { return unconflicted }

        let chains = states.map { state in state.values.reduce(into: Set<EventID>()) { $0.formUnion(chain(of: $1)) } }
        let union = chains.reduce(Set()) { $0.union($1) }
        let intersection = chains.dropFirst().reduce(chains[0]) { $0.intersection($1) }
        var full = conflicted.union(union.subtracting(intersection))
        if startsEmpty { full.formUnion(subgraph(conflicted)) }
        full = full.filter { room.events[$0]?.stateKey != nil }

        var power = full.filter { isPowerEvent($0) }
        for event in power { power.formUnion(chain(of: event, inside: full)) }
        var state = startsEmpty ? [:] : unconflicted
        apply(powerOrdering(power), to: &state)
        apply(mainlineOrdering(full.subtracting(power), state[.powerLevels]), to: &state)
        return state.merging(unconflicted) { $1 }
    }

    // MARK: The graph

    private func authEvents(of id: EventID) -> [EventID] {
        guard let event = room.events[id] else { return [] }
        guard let create = room.id.createEvent, version.createEventDecidesRoomID, id != create else { return event.authEvents }
        return event.authEvents + [create]
    }

    /// With the event itself.
    private func chain(of id: EventID, inside set: Set<EventID>? = nil) -> Set<EventID> {
        var found: Set<EventID> = [id]
        var pending = [id]
        while let next = pending.popLast() {
            for cited in authEvents(of: next) where set?.contains(cited) ?? (room.events[cited] != nil) {
                if found.insert(cited).inserted { pending.append(cited) }
            }
        }
        return found
    }

    private func subgraph(_ conflicted: Set<EventID>) -> Set<EventID> {
        let below = conflicted.reduce(into: Set<EventID>()) { $0.formUnion(chain(of: $1)) }
        return below.filter { !chain(of: $0).isDisjoint(with: conflicted) }
    }

    // MARK: The orders

    private func isPowerEvent(_ id: EventID) -> Bool {
        guard let event = room.events[id] else { return false }
        if [.powerLevels, .joinRules, .create].contains(event.key) { return true }
        return event.type == "m.room.member" && [.leave, .ban].contains(event.membership) && event.sender.text != event.stateKey
    }

    private func senderLevel(_ event: Event) -> PowerLevel {
        let auth = authEvents(of: event.id).compactMap { room.events[$0] }
        return AuthEventState(events: auth, version: version).powerLevels.level(of: event.sender)
    }

    private func powerOrdering(_ ids: Set<EventID>) -> [Event] {
        var remaining = ids
        var sorted: [Event] = []
        while true {
            let candidates = remaining.filter { remaining.isDisjoint(with: Set(authEvents(of: $0)).subtracting([$0])) }
            let least = candidates.compactMap { room.events[$0] }.min { x, y in
                let (a, b) = (senderLevel(x), senderLevel(y))
                if a != b { return a > b }
                return (x.originServerTimestamp, x.id) < (y.originServerTimestamp, y.id)
            }
            guard let least else { return sorted }
            remaining.remove(least.id)
            sorted.append(least)
        }
    }

    private func powerLevels(citedBy id: EventID) -> EventID? {
        authEvents(of: id).first { room.events[$0]?.key == .powerLevels }
    }

    private func mainlineOrdering(_ ids: Set<EventID>, _ powerLevels: EventID?) -> [Event] {
        var mainline: [EventID] = []
        var next = powerLevels
        while let id = next, !mainline.contains(id) {
            mainline.append(id)
            next = self.powerLevels(citedBy: id)
        }
        func position(_ id: EventID) -> Int {
            var seen: Set<EventID> = []
            var next = self.powerLevels(citedBy: id)
            while let id = next, seen.insert(id).inserted {
                if let position = mainline.firstIndex(of: id) { return position }
                next = self.powerLevels(citedBy: id)
            }
            return .max
        }
        return ids.compactMap { room.events[$0] }.map { (position($0.id), $0) }.sorted { x, y in
            if x.0 != y.0 { return x.0 > y.0 }
            return (x.1.originServerTimestamp, x.1.id) < (y.1.originServerTimestamp, y.1.id)
        }.map(\.1)
    }

    // MARK: Iterative auth checks

    private func apply(_ events: [Event], to state: inout StateMap) {
        for event in events where !room.rejected.contains(event.id) {
            guard let key = event.key else { continue }
            var relevant: [StateKey: Event] = [:]
            for id in authEvents(of: event.id) where !room.rejected.contains(id) {
                if let auth = room.events[id], let key = auth.key { relevant[key] = auth }
            }
            for key in authEventKeys(for: event) {
                if let id = state[key], let holder = room.events[id], !room.rejected.contains(id) { relevant[key] = holder }
            }
            do {
                try authorize(event, against: AuthEventState(events: relevant.values, version: version), version: version)
                state[key] = event.id
            } catch {
                continue
            }
        }
    }
}
