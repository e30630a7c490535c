// What the Journal publishes: changes in order of their stream positions, a group of them per commit.

import MatrixCore
import Persistence

/// One thing that happened, at its place in the stream.
package struct Change: Sendable {
    package let position: StreamPosition
    package let kind: Kind

    package enum Kind: Sendable {
        case event(TimelineEvent)
        case receipt(room: RoomID, user: UserID)
        case typing(room: RoomID)
        case accountData(user: UserID, room: RoomID?)
        case toDevice(user: UserID, device: DeviceID)
        /// A message to devices of another server waits to be sent.
        case outbound(server: ServerName)
        /// The devices or cross-signing keys of `user` changed.
        case deviceList(user: UserID)
        /// Cross-signing keys or signatures of `user` changed that only `viewer` can see.
        case signatures(user: UserID, viewer: UserID)
        /// The counts of one-time or fallback keys of a device changed.
        case oneTimeKeys(user: UserID, device: DeviceID)
        case profile(user: UserID)
        /// A user follows a thread, or no longer does.
        case threadSubscription(user: UserID)
        /// Whether `user` is there, or what is said of it, changed.
        case presence(user: UserID)
        /// A room that this server came into without its members has them all.
        case completion(room: RoomID, nid: RoomNID)
        /// What was found of the room's past stands in gaps of its timeline.
        case past(room: RoomNID)
    }

    package init(position: StreamPosition, kind: Kind) {
        self.position = position
        self.kind = kind
    }

    /// The event, where it is one.
    package var event: TimelineEvent? {
        if case .event(let event) = kind { event } else { nil }
    }
}

/// Changes that were published together. `positions` has no gap to the commit before it: a reader that has seen a commit
/// has seen everything up to `positions.upperBound`.
package struct Commit: Sendable {
    package let changes: [Change]
    package let positions: ClosedRange<StreamPosition>

    package init(changes: [Change], positions: ClosedRange<StreamPosition>) {
        self.changes = changes
        self.positions = positions
    }
}
