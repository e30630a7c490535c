// What a sync has to look at, taken from memory in one step.

import MatrixCore
import Persistence
import Rooms

/// The moment that a response describes, and where there may be something new for the reader.
package struct SyncScope: Sendable {
    /// Everything up to here is in the response, nothing after it.
    package var upTo: StreamPosition
    /// The client has seen everything up to here; nil for an initial sync.
    package let since: StreamPosition?
    /// The rooms to look at, in order of their numbers.
    package var rooms: [RoomScope] = []
    /// Whether there may be new account data. The other four likewise.
    package var hasAccountData = false
    package var hasToDevice = false
    package var hasDeviceLists = false
    package var hasKeys = false
    package var hasPresence = false
    package let ignoredUsers: Set<UserID>

    package var isEmpty: Bool {
        rooms.isEmpty && !hasAccountData && !hasToDevice && !hasDeviceLists && !hasKeys && !hasPresence
    }
}

/// A room to look at.
package struct RoomScope: Sendable {
    package let room: FeedRoom
    /// Whether there may be new events. The other two likewise.
    package var hasEvents = true
    package var hasReceipts = true
    package var hasTyping = true
    /// When the members of the room that had been missing were all known; nil where that is not news.
    package var wholeAt: StreamPosition?
    /// The position of the room's newest event within the response, or a later one.
    package var newest: StreamPosition
    /// The end of the room's timeline as far as memory has it.
    package var timeline: TimelineWindow.Candidates
    /// The room's state now, where memory has it.
    package var base: RoomBase?
    /// The newest rendering of the end of the timeline.
    package var rendered: RenderedTimeline?
}
