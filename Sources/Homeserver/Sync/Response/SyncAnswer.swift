// What a response says, gathered before it is written.

import MatrixCore
import Persistence
import Rooms

/// The content of one response of `/sync`. Client-Server API, GET /_matrix/client/v3/sync.
struct SyncAnswer {
    var nextBatch: StreamPosition
    var accountData: [AccountDataItem] = []
    /// Whole events.
    var toDevice: [[UInt8]] = []
    var presences: [(user: UserID, presence: UserPresence)] = []
    var devicesChanged: [UserID] = []
    var devicesLeft: [UserID] = []
    var keyCounts: KeyCounts?
    var keysChanged = false
    var joined: [RoomAnswer] = []
    var left: [RoomAnswer] = []
    var invited: [StrippedRoom] = []
    var knocked: [StrippedRoom] = []
    /// What relates to the events of the timelines.
    var aggregations: [EventNID: BundledAggregations] = [:]
    /// Only for a filter that asks for the federation's format.
    var pdus: [EventNID: [UInt8]] = [:]

    /// Whether there is nothing to wake a client for.
    var isEmpty: Bool {
        accountData.isEmpty && toDevice.isEmpty && presences.isEmpty && devicesChanged.isEmpty && devicesLeft.isEmpty && !keysChanged
            && joined.isEmpty && left.isEmpty && invited.isEmpty && knocked.isEmpty
    }
}

/// A joined room, or one that was left.
struct RoomAnswer {
    let room: RoomID
    let nid: RoomNID
    var timeline: TimelineWindow
    /// What was rendered for another reader of the same events.
    var rendered: RenderedTimeline?
    /// Whether other readers may get the same bytes.
    var isShareable = false
    /// `state` or `state_after`, oldest first.
    var state: [TimelineEvent] = []
    /// Who is typing; nil when nothing is to be said of it.
    var typing: [UserID]?
    /// The content of an `m.receipt` event.
    var receipts: [UInt8]?
    var accountData: [AccountDataItem] = []
    var summary: RoomSummary?
    /// For a joined room.
    var unread: RoomUnread?
    /// The client wants the room even when nothing happened in it.
    var isWanted = false
    /// The client knows nothing of the room yet.
    var isNew = false

    /// Whether there is no reason to tell of the room. As with Synapse, its summary and what is unread in it are none: they come along.
    var isEmpty: Bool {
        !isWanted && timeline.events.isEmpty && !timeline.isLimited && state.isEmpty && typing == nil && receipts == nil
            && accountData.isEmpty
    }
}

/// What a client without all members needs to name a room.
struct RoomSummary: Equatable {
    /// nil where the room has a name or an alias of its own.
    var heroes: [UserID]?
    var joinedCount: Int
    var invitedCount: Int
}

/// A room that the user is invited to or knocks at.
struct StrippedRoom {
    let room: RoomID
    /// Stripped events, without the one below.
    var state: ArraySlice<[UInt8]>
    /// The invite or the knock itself.
    let membership: TimelineEvent
}
