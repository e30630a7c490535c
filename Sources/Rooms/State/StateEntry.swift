// One entry of a room's state in memory.

import MatrixCore
import Persistence

/// The event that holds one state key of a room, as far as the server keeps it in memory.
package struct StateEntry: Sendable, Hashable {
    package let nid: EventNID
    package let id: EventID
    /// The membership, when the key is of type `m.room.member`.
    package let membership: Membership?
    /// Where in the stream the event stands.
    package let position: StreamPosition
    /// The number of the state key, so that a change of this entry needs no look-up.
    package let key: StateKeyNID

    package init(nid: EventNID, id: EventID, membership: Membership?, position: StreamPosition, key: StateKeyNID) {
        self.nid = nid
        self.id = id
        self.membership = membership
        self.position = position
        self.key = key
    }
}
