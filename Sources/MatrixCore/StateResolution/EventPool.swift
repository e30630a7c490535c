// Events in memory, as a source for state resolutions.

/// A set of state events with the graph that their `auth_events` make, in both directions.
package struct EventPool: Sendable {
    private var events: [EventID: ResolutionEvent] = [:]
    /// By cited event, in the order of insertion.
    private var citations: [EventID: [Citation]] = [:]

    package init() {}

    package init(_ events: some Sequence<Event>) {
        for event in events { insert(event) }
    }

    /// Adds an event. Of one that is there already only `isRejected` is taken over; events that are not state are left out, as
    /// they authorize nothing.
    package mutating func insert(_ event: Event, isRejected: Bool = false) {
        guard let key = event.key else { return }
        let known = events.updateValue(ResolutionEvent(event, isRejected: isRejected), forKey: event.id)
        guard known == nil else { return }
        for cited in Set(event.authEvents) {
            citations[cited, default: []].append(Citation(citing: event.id, key: key))
        }
    }

    package subscript(id: EventID) -> Event? { events[id]?.event }

    package var count: Int { events.count }
}

extension EventPool: ResolutionSource {
    package func events(_ ids: [EventID]) -> [ResolutionEvent] { ids.compactMap { events[$0] } }

    /// In the order of insertion.
    package func citations(_ request: CitationsRequest) -> [Citation] {
        guard let all = citations[request.cited], request.offset < all.count else { return [] }
        return Array(all[request.offset...].prefix(request.limit))
    }
}
