// Which state events go into the `state` or `state_after` of a room. Client-Server API §Syncing.

import MatrixCore
import Persistence
import Rooms

/// The room's state at the start and at the end of a timeline, by taking back from the newest state what came after.
///
/// A state event says which one it replaced, so the state before a stretch of timeline follows from the state after it and the
/// events of the stretch, and no stored state has to be read.
package struct StateRollback {
    private var atEnd: [StateKey: EventNID?] = [:]
    private var atStart: [StateKey: EventNID?] = [:]

    /// - Parameters:
    ///   - passed: all events between start and end, oldest first.
    ///   - newer: all events between the end and the moment of the newest state, oldest first.
    package init(passed: [TimelineEvent], newer: [TimelineEvent]) {
        for event in newer.reversed() {
            guard let stateKey = event.stateKey else { continue }
            atEnd[StateKey(type: event.type, stateKey: stateKey)] = .some(event.replaces)
        }
        atStart = atEnd
        for event in passed.reversed() {
            guard let stateKey = event.stateKey else { continue }
            atStart[StateKey(type: event.type, stateKey: stateKey)] = .some(event.replaces)
        }
    }

    /// - Parameter newest: what holds the key in the newest state.
    package func end(_ key: StateKey, newest: EventNID?) -> EventNID? {
        atEnd.isEmpty ? newest : atEnd[key] ?? newest
    }

    package func start(_ key: StateKey, newest: EventNID?) -> EventNID? {
        atStart.isEmpty ? newest : atStart[key] ?? newest
    }

    /// The keys that changed after the start.
    package var changedKeys: some Sequence<StateKey> { atStart.keys }
}

/// Picks the events.
///
/// The client lays the chosen events over what it knows, then the state events of the timeline over that, and must arrive at the
/// state at the end (`state`); or it lays only the chosen ones over what it knows (`state_after`).
package struct StateSelection {
    /// The events of the timeline that the client gets.
    package let returned: Set<EventNID>
    package let usesStateAfter: Bool

    package init(returned: Set<EventNID>, usesStateAfter: Bool) {
        self.returned = returned
        self.usesStateAfter = usesStateAfter
    }

    /// For one key of a whole state.
    ///
    /// - Parameters: the holders of the key at the start and at the end of the timeline.
    package func choose(start: EventNID?, end: EventNID?) -> EventNID? {
        if usesStateAfter { return end }
        // A change between start and end that the timeline does not show is told as if it had come before.
        if let end, !returned.contains(end) { return end }
        if let start, !returned.contains(start) { return start }
        return nil
    }

    /// For what has changed since the client's last sync.
    ///
    /// - Parameters:
    ///   - gap: what changed between the last sync and the start of the timeline: for each key the last event.
    ///   - passed: all events between the start and the end of the timeline, oldest first.
    package func choose(gap: [StateKey: EventNID], passed: [TimelineEvent]) -> [StateKey: EventNID] {
        var ends: [StateKey: EventNID] = [:]
        for event in passed {
            guard let stateKey = event.stateKey else { continue }
            ends[StateKey(type: event.type, stateKey: stateKey)] = event.nid
        }
        var chosen: [StateKey: EventNID] = [:]
        for (key, end) in ends {
            if let event = choose(start: gap[key], end: end) { chosen[key] = event }
        }
        for (key, event) in gap where ends[key] == nil { chosen[key] = event }
        return chosen
    }
}

/// Whose member events a client needs to show a timeline. Client-Server API §Lazy-loading room members.
package enum LazyMembers {
    /// - Parameter usesStateAfter: the client takes no state from the timeline.
    package static func needed(for timeline: [TimelineEvent], usesStateAfter: Bool) -> Set<UserID> {
        var needed: Set<UserID> = []
        var shown: Set<ByteString> = []
        for event in timeline {
            if event.membership != nil, let member = event.stateKey, !usesStateAfter { shown.insert(member) }
            if !shown.contains(event.sender.text) { needed.insert(event.sender) }
        }
        return needed
    }
}
