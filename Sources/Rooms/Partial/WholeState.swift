// What was fetched of a room whose members were left out when it was handed over.

import MatrixCore
import Persistence

/// States of a room as other servers say them. Their events are here, as outliers at least.
package struct WholeState: Sendable {
    /// The room's state before the join by which it came.
    package let beforeJoin: [EventID]
    /// Its states after previous events that are not here.
    package var afterMissing: [EventID: [EventID]] = [:]

    package init(beforeJoin: [EventID]) {
        self.beforeJoin = beforeJoin
    }
}

/// What was fetched is not the state of the room: another server may know better.
package struct WholeStateRefused: Error, Sendable, CustomStringConvertible {
    package let description: String
}

/// The states after these events are wanted as well: events of the room follow them.
package struct FurtherStatesWanted: Error, Sendable {
    package let after: [EventID]
}
