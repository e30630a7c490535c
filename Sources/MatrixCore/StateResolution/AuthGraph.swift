// What a running resolution knows of the room: events, who cites them, and the state that the forks share.

/// Why a resolution stops for now.
enum ResolutionPause: Error {
    /// ``AuthGraph/request`` says what is missing.
    case needsAnswer
    case overLimit
}

/// The part of the room's graph of authorization that has been asked for.
///
/// Asking for what is not known yet notes it in ``request`` and throws `.needsAnswer`; the walk that asked is tried again when the
/// answer is there. Events of other rooms are dropped here: to all above they do not exist.
struct AuthGraph: Sendable {
    let room: RoomID
    let version: RoomVersion
    let forks: StateForks
    /// The event that makes the room, where the room's ID says which it is: room version 12 and later.
    let createEvent: EventID?
    private(set) var request = ResolutionRequest()

    private var events: [EventID: ResolutionEvent?] = [:]
    private var citations: [EventID: CitationPages] = [:]
    private var entries: [StateKey: EventID?] = [:]
    private var requestedEvents: Set<EventID> = []
    private var requestedEntries: Set<StateKey> = []
    /// How many citations have been given: those whose citing event is never asked for count towards the limit too.
    private var citationCount = 0
    var parsed = ParsedAuthEvents()

    struct CitationPages: Sendable {
        var known: [Citation] = []
        var isComplete = false
        var isRequested = false
    }

    init(_ forks: StateForks, in room: RoomID, version: RoomVersion) {
        self.forks = forks
        self.room = room
        self.version = version
        createEvent = version.createEventDecidesRoomID ? room.createEvent : nil
    }

    // MARK: Answers

    mutating func supply(_ answer: ResolutionAnswer) {
        for event in answer.events where event.event.roomID == room { events[event.event.id] = event }
        for id in request.events where events[id] == nil { events.updateValue(nil, forKey: id) }
        for page in request.citations {
            let found = answer.citations[page] ?? []
            citations[page.cited, default: CitationPages()].known += found.prefix(page.limit)
            citations[page.cited]?.isComplete = found.count < page.limit
            citations[page.cited]?.isRequested = false
            citationCount += found.count
        }
        for key in request.entries { entries.updateValue(answer.entries[key], forKey: key) }
        request = ResolutionRequest()
        requestedEvents = []
        requestedEntries = []
    }

    private func checkLimit() throws(ResolutionPause) {
        guard events.count + citationCount <= StateResolver.eventLimit else { throw .overLimit }
    }

    // MARK: Events

    /// The event, when it was asked for and is known.
    subscript(id: EventID) -> ResolutionEvent? { events[id] ?? nil }

    /// Makes sure that all of the events were asked for.
    mutating func load(_ ids: some Sequence<EventID>) throws(ResolutionPause) {
        var isComplete = true
        for id in ids where events[id] == nil {
            isComplete = false
            if requestedEvents.insert(id).inserted { request.events.append(id) }
        }
        guard !isComplete else { return }
        try checkLimit()
        throw .needsAnswer
    }

    /// The events that `event` names as its auth events. From room version 12 on the create event is one of them by the room's ID.
    func authEventIDs(of event: Event) -> [EventID] {
        guard let createEvent, event.id != createEvent else { return event.authEvents }
        return event.authEvents + [createEvent]
    }

    /// The auth events of `event` that are known and loaded, in their order.
    func authEvents(of event: Event) -> [ResolutionEvent] {
        authEventIDs(of: event).compactMap { self[$0] }
    }

    // MARK: Citations

    /// The state events that cite `id`: those known, and whether they are all.
    func citations(of id: EventID) -> CitationPages { citations[id] ?? CitationPages() }

    /// Asks for the next page of citations, without pausing. Pages grow, so that many citations take few requests.
    mutating func requestCitations(of id: EventID) throws(ResolutionPause) {
        var pages = citations(of: id)
        guard !pages.isComplete, !pages.isRequested else { return }
        try checkLimit()
        pages.isRequested = true
        citations[id] = pages
        request.citations.append(CitationsRequest(cited: id, offset: pages.known.count, limit: max(64, pages.known.count)))
    }

    mutating func requestFirstCitations(of id: EventID) throws(ResolutionPause) {
        if citations[id] == nil { try requestCitations(of: id) }
    }

    // MARK: The unconflicted state map

    /// Whether the answer to `unconflicted(key)` is at hand; if not, it is asked for, without pausing.
    mutating func requestEntry(_ key: StateKey) -> Bool {
        if forks.conflicts[key] != nil || forks.agreed[key] != nil || entries[key] != nil { return true }
        if requestedEntries.insert(key).inserted { request.entries.append(key) }
        return false
    }

    mutating func loadEntries(_ keys: some Sequence<StateKey>) throws(ResolutionPause) {
        var isComplete = true
        for key in keys where !requestEntry(key) { isComplete = false }
        guard isComplete else { throw .needsAnswer }
    }

    /// The holder of `key` in the unconflicted state map, of keys that were asked for.
    func unconflicted(_ key: StateKey) -> EventID? {
        if forks.conflicts[key] != nil { return nil }
        return (forks.agreed[key] ?? entries[key]) ?? nil
    }

    /// The resolution, as changes over the base, when the conflicts end in `resolved`.
    func changes(by resolved: StateMap) -> StateChanges {
        var changes = StateChanges(set: resolved)
        for (key, holder) in forks.agreed {
            if let holder { changes.set[key] = holder } else { changes.removed.insert(key) }
        }
        changes.removed.formUnion(forks.conflicts.keys.filter { resolved[$0] == nil })
        return changes
    }

    // MARK: What iterative auth checks look at

    /// The known events among `ids`, with all that authorizing and sorting them takes at hand.
    mutating func loadForChecks(_ ids: Set<EventID>) throws(ResolutionPause) -> [EventID: Event] {
        try load(ids)
        var found: [EventID: Event] = [:]
        for id in ids { if let event = self[id]?.event, event.isState { found[id] = event } }
        try load(found.values.flatMap { authEventIDs(of: $0) })
        if version.stateResolution != .v2_1 {
            let keys = Set(found.values.flatMap { parsed.authKeys(of: $0) })
            try loadEntries(keys)
            try load(keys.compactMap { unconflicted($0) })
        }
        return found
    }
}
