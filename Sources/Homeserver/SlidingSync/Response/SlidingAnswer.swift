// What an answer says, gathered before it is written. MSC4186.

import MatrixCore
import Persistence
import Rooms

/// The content of one response.
struct SlidingAnswer {
    let upTo: StreamPosition
    var lists: [SlidingListAnswer] = []
    var rooms: [SlidingRoom] = []
    var extensions = SlidingExtensionAnswers()

    /// Whether there is nothing to wake a client for. The order of lists is no news: it follows from what happens in their rooms.
    var isEmpty: Bool { rooms.isEmpty && extensions.isEmpty }
}

/// A list: how many rooms it has, and those in its windows.
struct SlidingListAnswer {
    let key: ByteString
    let count: Int
    /// For each range the ids of its rooms as a JSON array.
    var windows: [(range: ListRange, rooms: [UInt8])] = []
}

/// A room of a response.
struct SlidingRoom {
    let room: RoomID
    let nid: RoomNID
    let membership: Membership
    /// The client knows nothing of the room yet.
    var isInitial = false
    /// More of the room's past is sent than the client asked for before.
    var isExpanded = false
    var isDirect = false
    var name: String?
    var avatar: String?
    var heroes: [Hero] = []
    var joinedCount: Int?
    var invitedCount: Int?
    /// Oldest first.
    var requiredState: [TimelineEvent] = []
    /// nil where none is wanted, or none is to be had.
    var timeline: TimelineWindow?
    /// How many of the newest events of the timeline came after the client's position.
    var liveCount = 0
    var aggregations: [EventNID: BundledAggregations] = [:]
    /// For an invite or a knock.
    var stripped: StrippedRoom?
    /// Position of the newest event by which clients sort rooms.
    var bumpStamp: StreamPosition?
    /// For a joined room.
    var unread: UnreadCounts?
    /// The counts of unread events have changed.
    var hasNewCounts = false

    /// One of those who name a room that has no name.
    struct Hero {
        let user: UserID
        let displayName: String?
        let avatarURL: String?
    }

    /// Whether the client needs not be told of the room.
    var isEmpty: Bool {
        !isInitial && !hasNewCounts && name == nil && avatar == nil && heroes.isEmpty && joinedCount == nil && invitedCount == nil
            && requiredState.isEmpty && timeline?.events.isEmpty != false && stripped == nil
    }
}

/// What the extensions have to say; nil where one was not asked for.
struct SlidingExtensionAnswers {
    var toDevice: (next: StreamPosition, events: [[UInt8]])?
    var endToEnd: EndToEnd?
    var accountData: (global: [AccountDataItem], rooms: [RoomID: [AccountDataItem]])?
    /// By room the content of an `m.receipt` event.
    var receipts: [RoomID: [UInt8]]?
    /// By room who is typing.
    var typing: [RoomID: [UserID]]?
    /// Newest first.
    var threadSubscriptions: [ThreadSubscriptionRow] = []
    /// There may be more before the oldest of them.
    var hasMoreThreadSubscriptions = false

    struct EndToEnd {
        /// nil on a new connection.
        var lists: (changed: [UserID], left: [UserID])?
        /// nil for a token without a device.
        var counts: KeyCounts?
        var hasNewCounts = false

        var isEmpty: Bool { !hasNewCounts && (lists.map { $0.changed.isEmpty && $0.left.isEmpty } ?? true) }
    }

    var isEmpty: Bool {
        let hasAccountData = accountData.map { !$0.global.isEmpty || !$0.rooms.isEmpty } ?? false
        return toDevice?.events.isEmpty != false && endToEnd?.isEmpty != false && !hasAccountData && receipts?.isEmpty != false
            && typing?.isEmpty != false && threadSubscriptions.isEmpty
    }
}
