// A filter as sync uses it, and where clients' filters are kept between requests. Client-Server API §Filtering.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// What one filter means for a sync, worked out once. Equal filters of all clients are the same object, so that what is
/// rendered for one of them serves the others.
package final class SyncFilter: Sendable {
    package let filter: Filter
    /// The most events of a room's timeline.
    package let timelineLimit: Int
    package let timelinePassesEverything: Bool
    package let statePassesEverything: Bool
    /// Whether member events are left out that are not needed to show the timeline.
    package let lazyLoadsMembers: Bool
    /// Whether member events are repeated that the client has got already.
    package let repeatsMembers: Bool

    /// As many as Synapse shows when a filter doesn't say.
    package static let defaultTimelineLimit = 10

    /// - Parameter maximumLimit: `filter_timeline_limit`; negative for none.
    package init(_ filter: Filter, maximumLimit: Int) {
        self.filter = filter
        timelineLimit = filter.room.timeline.limit(
            default: SyncFilter.defaultTimelineLimit, maximum: maximumLimit < 0 ? .max : maximumLimit)
        timelinePassesEverything = filter.room.timeline.passesEverything
        statePassesEverything = filter.room.state.passesEverything
        lazyLoadsMembers = filter.room.state.lazyLoadMembers
        repeatsMembers = filter.room.state.includeRedundantMembers
    }

    package func passesTimeline(_ event: TimelineEvent) -> Bool {
        timelinePassesEverything || SyncFilter.passes(event, filter.room.timeline)
    }

    package func passesState(_ event: TimelineEvent) -> Bool {
        statePassesEverything || SyncFilter.passes(event, filter.room.state)
    }

    /// For what is not an event of the room's history: typing, receipts, account data.
    package func passesEphemeral(_ type: ByteString, in room: RoomID) -> Bool {
        filter.room.ephemeral.passes(type: type, sender: nil, room: room, content: nil)
    }

    private static func passes(_ event: TimelineEvent, _ filter: RoomEventFilter) -> Bool {
        // An event whose content cannot be read has no `url`.
        filter.passes(type: event.type, sender: event.sender, room: event.roomID, content: (try? event.content()) ?? nil)
    }
}

/// The filters in use. A filter that clients send inline with every request is parsed once.
package final class SyncFilterCache: Sendable {
    private struct State {
        var byText = RecentCache<ByteString, SyncFilter>(capacity: 256)
        var byValue = RecentCache<Filter, SyncFilter>(capacity: 256)
    }

    private let state = Mutex(State())
    private let maximumLimit: Int
    package let everything: SyncFilter

    package init(maximumLimit: Int) {
        self.maximumLimit = maximumLimit
        everything = SyncFilter(.everything, maximumLimit: maximumLimit)
    }

    /// The shared object for a filter.
    package func shared(_ filter: Filter) -> SyncFilter {
        if filter == .everything { return everything }
        return state.withLock { state in
            if let known = state.byValue.value(for: filter) { return known }
            let new = SyncFilter(filter, maximumLimit: maximumLimit)
            state.byValue.insert(new, for: filter)
            return new
        }
    }

    /// - Parameter text: a JSON object.
    /// - Throws: `M_NOT_JSON`, `M_BAD_JSON`.
    package func inline(_ text: String) throws(MatrixError) -> SyncFilter {
        let key = ByteString(text)
        if let known = state.withLock({ $0.byText.value(for: key) }) { return known }
        let document: JSONDocument
        do { document = try JSONDocument(parsing: Array(text.utf8), limits: .request) } catch {
            throw MatrixError(status: 400, errcode: "M_NOT_JSON", message: "Invalid filter JSON")
        }
        let filter = shared(try Filter(json: document.root))
        // A very long text is parsed each time rather than kept.
        if text.utf8.count <= 4096 { state.withLock { $0.byText.insert(filter, for: key) } }
        return filter
    }
}
