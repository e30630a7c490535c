// The state that a resolution builds up. Rooms v2, v12 §State resolution, "iterative auth checks".

/// A partially resolved state, as what was put on top of the state it started from.
struct PartialState: Sendable {
    /// Whether it started from the unconflicted state map. If not, it started empty (room version 12).
    let startsFromUnconflicted: Bool
    private(set) var entries: StateMap = [:]

    init(startsFromUnconflicted: Bool) {
        self.startsFromUnconflicted = startsFromUnconflicted
    }

    /// The iterative auth checks: applies each event, in order, if the state built so far allows it. Where that state lacks an entry
    /// which the rules look at, the event's own auth event stands in.
    ///
    /// An event that was rejected before is not applied, and authorizes nothing. The specification would give a second chance to
    /// one that was rejected only by the state before it; here as in Synapse such an event stays out, because it has been
    /// withheld from clients and from all that was decided since.
    mutating func apply(_ events: [Event], _ graph: inout AuthGraph) {
        for event in events {
            guard let key = event.key, graph[event.id]?.isRejected == false else { continue }
            var relevant: [StateKey: Event] = [:]
            for authEvent in graph.authEvents(of: event) where !authEvent.isRejected {
                if let key = authEvent.event.key { relevant[key] = authEvent.event }
            }
            for key in graph.parsed.authKeys(of: event) {
                let holder = entries[key] ?? (startsFromUnconflicted ? graph.unconflicted(key) : nil)
                if let holder, let known = graph[holder], !known.isRejected { relevant[key] = known.event }
            }
            let state = ConsideredState(relevant, version: graph.version, &graph.parsed)
            if state.allows(event, version: graph.version) { entries[key] = event.id }
        }
    }

    func holder(of key: StateKey, _ graph: inout AuthGraph) throws(ResolutionPause) -> EventID? {
        if let entry = entries[key] { return entry }
        guard startsFromUnconflicted else { return nil }
        try graph.loadEntries(CollectionOfOne(key))
        guard let holder = graph.unconflicted(key) else { return nil }
        try graph.load(CollectionOfOne(holder))
        return holder
    }

    /// Step 5 of the algorithm: what the states agree on stands, whatever was found on the way.
    func withoutUnconflicted(_ graph: inout AuthGraph) throws(ResolutionPause) -> StateMap {
        try graph.loadEntries(entries.keys)
        return entries.filter { graph.unconflicted($0.key) == nil }
    }
}

/// The few entries of a state that decide over one event.
struct ConsideredState: AuthorizationState {
    let create: Event?
    let federates: Bool
    let powerLevels: PowerLevels
    let joinRule: JoinRules
    private let events: [StateKey: Event]

    init(_ events: [StateKey: Event], version: RoomVersion, _ parsed: inout ParsedAuthEvents) {
        let create = events[.create]
        self.create = create
        federates = create.map { parsed.create($0).federates } ?? false
        powerLevels = parsed.powerLevels(events[.powerLevels], create: create, version: version)
        joinRule = parsed.joinRules(events[.joinRules])
        self.events = events
    }

    func membership(of user: UserID) -> Membership? { events[.member(user)]?.membership }

    func thirdPartyInvite(token: ByteString) -> Event? { events[.thirdPartyInvite(token: token)] }

    func allows(_ event: Event, version: RoomVersion) -> Bool {
        do {
            try authorize(event, against: self, version: version)
            return true
        } catch {
            return false
        }
    }
}

/// What authorization reads in events, read once for all the events that are checked by it.
struct ParsedAuthEvents: Sendable {
    private var creations: [EventID: CreateEvent] = [:]
    private var levels: [LevelsKey: PowerLevels] = [:]
    private var rules: [EventID: JoinRules] = [:]
    private var keys: [EventID: [StateKey]] = [:]

    private struct LevelsKey: Hashable, Sendable {
        let powerLevels: EventID?
        let create: EventID?
    }

    mutating func create(_ event: Event) -> CreateEvent {
        if let known = creations[event.id] { return known }
        let creation = CreateEvent(event)
        creations[event.id] = creation
        return creation
    }

    mutating func powerLevels(_ event: Event?, create: Event?, version: RoomVersion) -> PowerLevels {
        let key = LevelsKey(powerLevels: event?.id, create: create?.id)
        if let known = levels[key] { return known }
        let creators = create.map { self.create($0).creators } ?? []
        let parsed = PowerLevels(content: event?.content(), creators: creators, version: version)
        levels[key] = parsed
        return parsed
    }

    mutating func joinRules(_ event: Event?) -> JoinRules {
        guard let event else { return .inviteOnly }
        if let known = rules[event.id] { return known }
        let parsed = JoinRules(content: event.content())
        rules[event.id] = parsed
        return parsed
    }

    /// The entries of the state that decide over `event`.
    mutating func authKeys(of event: Event) -> [StateKey] {
        if let known = keys[event.id] { return known }
        let selected = authEventKeys(for: event)
        keys[event.id] = selected
        return selected
    }
}
