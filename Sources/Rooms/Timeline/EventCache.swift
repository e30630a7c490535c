// Timeline events in memory, by number.

import MatrixCore
import Persistence
import Synchronization

/// Keeps events that were read, and never one from before its redaction.
package final class EventCache: Sendable {
    private let events: CostCache<EventNID, TimelineEvent>
    /// How many redactions and other changes there were. What was read before one and comes in after it may be out of date, and is not kept.
    private let redactions = Atomic<Int>(0)

    package init(byteLimit: Int) { events = CostCache(limit: byteLimit) }

    package subscript(nid: EventNID) -> TimelineEvent? { events[nid] }

    /// The events of these numbers, in their order, and the numbers of those that are not here.
    func events(_ nids: [EventNID]) -> (found: [TimelineEvent], missing: [EventNID]) { events.values(for: nids) }

    /// To be asked for before reading from the database.
    var generation: Int { redactions.load(ordering: .acquiring) }

    /// Keeps what was read since `generation`.
    func insert(_ read: some Sequence<TimelineEvent>, generation: Int) {
        for event in read where self.generation == generation { events.insert(event, for: event.nid, cost: event.cost) }
        // A redaction that came in between has missed what went in after it.
        if self.generation != generation { for event in read { events.remove(event.nid) } }
    }

    /// Keeps an event that is durable since now. A redaction of it is published after it, and takes it out again.
    func insertPublished(_ event: TimelineEvent) { events.insert(event, for: event.nid, cost: event.cost) }

    /// An event has been redacted, durably.
    func didRedact(_ nid: EventNID) { didChange([nid]) }

    /// What is stored of events has changed, durably.
    func didChange(_ nids: some Sequence<EventNID>) {
        redactions.add(1, ordering: .acquiringAndReleasing)
        for nid in nids { events.remove(nid) }
        // What was made meanwhile of events that were in memory still is out of date as well.
        redactions.add(1, ordering: .acquiringAndReleasing)
    }
}
