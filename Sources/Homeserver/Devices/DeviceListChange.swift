// The record that announces a change among a user's devices. Client-Server API §Tracking the device list for a user.

import MatrixCore
import Persistence
import Rooms

/// Says that a device of `user` came, went, was renamed or has other keys, or that other cross-signing keys or signatures of them are
/// there: who may see that asks again.
package struct DeviceListChange: JournalRecord {
    package let user: UserID
    /// What changed; nil where that is not known. Other servers are told only what is.
    package let subject: DeviceListSubject?
    /// Who alone can see it; nil: everyone who shares a room with the user.
    package let viewer: UserID?

    package init(user: UserID, _ subject: DeviceListSubject? = nil, seenBy viewer: UserID? = nil) {
        self.user = user
        self.subject = subject
        self.viewer = viewer
    }

    package func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try DeviceListStore.insert(user, subject, seenBy: viewer, position: position, on: connection)
    }

    package func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: viewer.map { .signatures(user: user, viewer: $0) } ?? .deviceList(user: user))
    }

    package func isStored(on connection: any SQLConnection, at position: StreamPosition) throws -> Bool? {
        try DeviceListStore.exists(position, on: connection)
    }
}
