// What is asked of a search, and what it answers. Client-Server API §Server Side Search.

import MatrixCore
import Persistence
import Rooms

/// The criteria of the category `room_events`.
package struct SearchRequest: Sendable {
    package enum Order: String, Sendable, CaseIterable {
        case recent, rank
    }

    /// How much of what was said around a result comes with it.
    package struct Context: Sendable {
        package var before: Int
        package var after: Int
        package var includesProfiles: Bool

        package init(before: Int = 5, after: Int = 5, includesProfiles: Bool = false) {
            self.before = before
            self.after = after
            self.includesProfiles = includesProfiles
        }
    }

    package var expression: SearchExpression
    package var keys: [SearchKey] = SearchKey.allCases
    package var filter = RoomEventFilter.everything
    package var order = Order.rank
    package var includesState = false
    package var context: Context?
    package var groupings: Set<SearchGrouping> = []

    package init(_ expression: SearchExpression) { self.expression = expression }
}

/// A page of what was found.
package struct SearchResults: Sendable {
    package struct Result: Sendable {
        package let event: ViewedEvent
        package let rank: Double
        let place: SearchPlace
        package var surroundings: Surroundings?
    }

    package struct Surroundings: Sendable {
        /// Newest first.
        package let before: [ViewedEvent]
        /// Oldest first.
        package let after: [ViewedEvent]
        package let start: StreamPosition
        package let end: StreamPosition
        /// The member events of those who sent all this, as they were at the end; nil where they are not wanted.
        package let senders: [TimelineEvent]?
    }

    /// Results that have something in common.
    package struct Group: Sendable {
        package let name: SearchToken.Group
        package var events: [EventID]
        package var next: SearchToken?
    }

    /// In the order that was asked for.
    package var results: [Result] = []
    /// About how many there are in all.
    package var count = 0
    package var highlights: [String] = []
    /// By what was asked to group by; the group of the first result comes first.
    package var groups: [SearchGrouping: [Group]] = [:]
    /// nil when there is nothing more.
    package var next: SearchToken?
    /// The present state of the rooms of the results, where it was asked for.
    package var state: [(room: RoomID, events: [TimelineEvent])]?
}
