// Which part of a room's timeline a response shows, and whether there is a gap before it. Client-Server API §Syncing.

import MatrixCore
import Persistence
import Rooms

/// The timeline of one room in one response.
package struct TimelineWindow: Sendable {
    /// What the client gets, oldest first.
    package var events: [TimelineEvent] = []
    /// The reader's membership at each of `events`; empty where it was `join` at all of them, but for the one by which they left.
    package var memberships: [Membership?] = []
    /// Whether events between `since` and the first of `events` are left out.
    package var isLimited = false
    /// The `state` of the response is the room's state after this position.
    package var start: StreamPosition
    /// Every event of the room after `start`, also those that the filter takes out, oldest first.
    package var passed: [TimelineEvent] = []
    /// From where `/messages` continues backwards.
    package var previousBatch: StreamPosition

    /// A reader's membership after one of `events`.
    package func membership(at index: Int, of reader: UserID) -> Membership? {
        if !memberships.isEmpty { return memberships[index] }
        let event = events[index]
        guard let membership = event.membership, event.stateKey == reader.text else { return .join }
        return membership
    }

    /// What the events known so far say.
    package enum Decision {
        case window(TimelineWindow)
        /// Fewer events than wanted are known; older ones must be looked at.
        case needsOlder
    }

    /// What is known of a room's timeline.
    package struct Candidates {
        /// Oldest first, without a gap up to `upTo`.
        package var events: [TimelineEvent]
        /// Every event after it is in `events`.
        package var floor: StreamPosition
        /// The end of the response.
        package let upTo: StreamPosition

        package init(events: [TimelineEvent], floor: StreamPosition, upTo: StreamPosition) {
            self.events = events
            self.floor = floor
            self.upTo = upTo
        }
    }

    /// What the response wants.
    package struct Wish {
        /// The client has seen everything up to here; nil where the timeline may begin anywhere.
        package var since: StreamPosition?
        /// The most events shown.
        package var limit: Int
        /// No older events are looked at any more: what is known has to do.
        package var isFinal: Bool

        package init(since: StreamPosition?, limit: Int, isFinal: Bool = false) {
            self.since = since
            self.limit = limit
            self.isFinal = isFinal
        }
    }

    /// Walks back from the newest event. `admit` is asked once for every event that is passed, newest first, and answers whether it
    /// may be shown; `membership` is asked after it for those that are.
    package static func decide(
        _ candidates: Candidates, _ wish: Wish, admit: (TimelineEvent) -> Bool, membership: ((TimelineEvent) -> Membership?)? = nil
    ) -> Decision {
        let beginning = wish.since ?? .start
        var window = TimelineWindow(start: beginning, previousBatch: candidates.upTo)
        var first = candidates.events.count
        for index in candidates.events.indices.reversed() {
            let event = candidates.events[index]
            guard event.position > beginning else { break }
            if admit(event) {
                if window.events.count == wish.limit {
                    window.isLimited = true
                    window.start = window.events.last.map { StreamPosition($0.position.value - 1) } ?? candidates.upTo
                    break
                }
                window.events.append(event)
                if let membership { window.memberships.append(membership(event)) }
            }
            first = index
        }
        if !window.isLimited, candidates.floor > beginning {
            guard wish.isFinal else { return .needsOlder }
            window.isLimited = true
            window.start = candidates.floor
        }
        window.passed = Array(candidates.events[first...])
        if window.isLimited { window.passed.removeAll { $0.position <= window.start } }
        window.events.reverse()
        window.memberships.reverse()
        if let oldest = window.events.first {
            window.previousBatch = StreamPosition(oldest.position.value - 1)
        } else if window.isLimited {
            window.previousBatch = window.start
        }
        return .window(window)
    }
}
