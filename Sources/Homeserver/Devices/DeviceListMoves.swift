// What membership changes mean for the device lists of one user. Client-Server API §Tracking the device list for a user.

import MatrixCore
import Persistence

/// Sums up, for `viewer`, the membership changes of a stretch of the stream: a pure value, fed in order of the stream.
///
/// A client needs the devices of those who are in a room with it, and of those who are invited to one or knock there, as
/// they may get keys too.
package struct DeviceListMoves: Sendable {
    package let viewer: UserID
    /// Rooms that the viewer came into and is still in: everyone there is new to the client.
    package private(set) var roomsJoined: Set<RoomID> = []
    /// Rooms that the viewer left and has not come back to.
    package private(set) var roomsLeft: Set<RoomID> = []
    /// Rooms of which not all members had been known: to the client they are all new.
    package private(set) var roomsCompleted: Set<RoomID> = []
    /// Others who came into a room, by room.
    package private(set) var arrivals: [RoomID: Set<UserID>] = [:]
    /// Others who left a room, by room.
    package private(set) var departures: [RoomID: Set<UserID>] = [:]

    package init(viewer: UserID) {
        self.viewer = viewer
    }

    package var isEmpty: Bool {
        roomsJoined.isEmpty && roomsLeft.isEmpty && roomsCompleted.isEmpty && arrivals.isEmpty && departures.isEmpty
    }

    package mutating func apply(_ change: MembershipTransition) {
        if change.user == viewer {
            applyOwn(change)
        } else {
            applyOther(change)
        }
    }

    package mutating func complete(_ room: RoomID) { roomsCompleted.insert(room) }

    private mutating func applyOwn(_ change: MembershipTransition) {
        switch (change.before == .join, change.after == .join) {
        case (false, true):
            roomsJoined.insert(change.room)
            roomsLeft.remove(change.room)
        case (true, false):
            roomsLeft.insert(change.room)
            roomsJoined.remove(change.room)
        default: break
        }
    }

    private mutating func applyOther(_ change: MembershipTransition) {
        switch (DeviceListMoves.isPresent(change.before), DeviceListMoves.isPresent(change.after)) {
        case (false, true):
            arrivals[change.room, default: []].insert(change.user)
            departures[change.room]?.remove(change.user)
        case (true, false):
            departures[change.room, default: []].insert(change.user)
            arrivals[change.room]?.remove(change.user)
        default: break
        }
    }

    private static func isPresent(_ membership: Membership?) -> Bool {
        switch membership {
        case .join, .invite, .knock: true
        case .leave, .ban, nil: false
        }
    }
}
