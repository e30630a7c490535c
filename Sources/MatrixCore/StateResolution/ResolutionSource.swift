// What a state resolution asks for while it runs, and who answers.

/// A state event as a resolution looks at it.
package struct ResolutionEvent: Sendable {
    package let event: Event
    /// Whether the event failed the checks performed on receipt of a PDU. Such an event is never let into a state, and nothing is
    /// authorized by it.
    package let isRejected: Bool

    package init(_ event: Event, isRejected: Bool = false) {
        self.event = event
        self.isRejected = isRejected
    }
}

/// A state event that names another event in its `auth_events`: the way up in the graph of authorization.
package struct Citation: Sendable, Hashable {
    package let citing: EventID
    /// The entry of the room state that the citing event sets.
    package let key: StateKey

    package init(citing: EventID, key: StateKey) {
        self.citing = citing
        self.key = key
    }
}

/// Asks for the state events that cite an event, a page at a time, because everyone who joins cites the power levels.
package struct CitationsRequest: Sendable, Hashable {
    package let cited: EventID
    /// How many citations earlier pages have given.
    package let offset: Int
    package let limit: Int

    package init(cited: EventID, offset: Int, limit: Int) {
        self.cited = cited
        self.offset = offset
        self.limit = limit
    }
}

/// Where a resolution's events come from. All state events of the room that the server keeps are meant, rejected ones too.
package protocol ResolutionSource {
    /// Those of the events that are known, in any order. Others may be given too, when they are at hand: what is given
    /// early is not asked for later.
    func events(_ ids: [EventID]) throws -> [ResolutionEvent]

    /// One page of the state events whose `auth_events` name an event, in the order in which the server got them: those that
    /// came soon after an event tell soonest what became of it. A page with fewer than `limit` citations is the last.
    ///
    /// Events that came when the states were there already may be left out, as they are in none of these states' auth chains. When
    /// old states are resolved again, this keeps all that happened since out of it.
    func citations(_ request: CitationsRequest) throws -> [Citation]
}

/// All that a ``StateResolver`` has to know before it can go on.
package struct ResolutionRequest: Sendable {
    /// Events, with whether they are rejected. What is not answered counts as missing.
    package internal(set) var events: [EventID] = []
    package internal(set) var citations: [CitationsRequest] = []
    /// Entries of the state that the forks have in common (``StateForks``). What is not answered is not in that state.
    package internal(set) var entries: [StateKey] = []
}

/// The answer to a ``ResolutionRequest``.
package struct ResolutionAnswer: Sendable {
    package var events: [ResolutionEvent]
    /// By request; a request that has no answer here found nothing.
    package var citations: [CitationsRequest: [Citation]]
    package var entries: [StateKey: EventID]

    package init(
        events: [ResolutionEvent] = [], citations: [CitationsRequest: [Citation]] = [:], entries: [StateKey: EventID] = [:]
    ) {
        self.events = events
        self.citations = citations
        self.entries = entries
    }
}
