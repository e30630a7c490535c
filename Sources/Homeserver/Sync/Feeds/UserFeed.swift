// What the sync engine keeps of a user who syncs.

import MatrixCore
import Persistence
import Rooms

/// A user's relation to one room, as of the newest commit.
package struct FeedRoom: Sendable {
    package let room: RoomID
    package let nid: RoomNID
    package var membership: Membership
    /// The member event, and where it stands in the stream.
    package var event: EventNID
    package var position: StreamPosition

    package init(_ row: MembershipRow) {
        room = row.room
        nid = row.roomNID
        membership = row.membership
        event = row.event
        position = row.position
    }

    package init(_ event: TimelineEvent, membership: Membership) {
        room = event.roomID
        nid = event.roomNID
        self.membership = membership
        self.event = event.nid
        position = event.position
    }
}

/// A user whose clients sync: their rooms, what happened last, and who waits. Exists from the first sync until some
/// minutes after the last one. Belongs to `SyncState`, under whose lock alone it is used.
package final class UserFeed {
    package let user: UserID
    /// Everything after this position is known here; for a client that stands further back the database is asked.
    package private(set) var floor: StreamPosition
    /// False until the rooms have been read from the database.
    package private(set) var isLoaded = false
    package private(set) var rooms: [RoomNID: FeedRoom] = [:]
    package private(set) var recent: RecentRooms
    /// Newest changes that belong to no room. `floor` where none is known.
    package var accountDataAt: StreamPosition
    package var deviceListAt: StreamPosition
    package var presenceAt: StreamPosition
    package var threadSubscriptionsAt: StreamPosition
    package var devices: [DeviceID: DeviceFeed] = [:]
    /// nil until read from the account data, and again when that has changed.
    package var ignoredUsers: Set<UserID>?
    package var waiters: [SyncWaiter] = []
    /// On the clock of `SyncTimer`.
    package var lastUsed: Int64

    package init(user: UserID, at position: StreamPosition, now: Int64) {
        self.user = user
        floor = position
        recent = RecentRooms(floor: position)
        accountDataAt = position
        deviceListAt = position
        presenceAt = position
        threadSubscriptionsAt = position
        lastUsed = now
    }

    /// Takes over what the database says, where no newer commit has said more.
    package func load(_ rows: [MembershipRow], at position: StreamPosition) {
        for row in rows {
            if let known = rooms[row.roomNID], known.position >= row.position { continue }
            rooms[row.roomNID] = FeedRoom(row)
        }
        floor = position
        isLoaded = true
    }

    /// The user's own membership changed.
    package func apply(_ event: TimelineEvent, _ membership: Membership) {
        if let known = rooms[event.roomNID], known.position >= event.position { return }
        rooms[event.roomNID] = FeedRoom(event, membership: membership)
    }

    package func touch(_ room: RoomNID, at position: StreamPosition) {
        recent.touch(room, at: position)
    }

    /// The newest change that concerns `device`.
    package func newest(for device: DeviceID?) -> StreamPosition {
        var newest = max(recent.newest, accountDataAt, deviceListAt, presenceAt, threadSubscriptionsAt)
        if let device, let feed = devices[device] { newest = max(newest, feed.toDeviceAt, feed.keysAt) }
        return newest
    }
}

/// What the sync engine keeps of one device. Belongs to its `UserFeed`.
package final class DeviceFeed {
    /// Everything after this position is known here.
    package let floor: StreamPosition
    package var toDeviceAt: StreamPosition
    package var keysAt: StreamPosition
    /// The end of the last batch of to-device messages that was sent and not confirmed yet.
    package var unconfirmed: StreamPosition?
    package var sentMembers = SentMembers()

    package init(at position: StreamPosition) {
        floor = position
        toDeviceAt = position
        keysAt = position
        // What an earlier run of the server has sent may be confirmed by the first request.
        unconfirmed = .zero
    }
}
