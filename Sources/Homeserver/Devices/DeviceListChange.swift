// The record that announces a change among a user's devices. Client-Server API §Tracking the device list for a user.

import MatrixCore
import Persistence
import Rooms

/// Says that a device of `user` came, went, was renamed or has other keys: who shares a room with the user asks again.
package struct DeviceListChange: JournalRecord {
    package let user: UserID

    package init(user: UserID) {
        self.user = user
    }

    package func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try DeviceListStore.insert(user, position: position, on: connection)
    }

    package func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: .deviceList(user: user))
    }

    package func isStored(on connection: any SQLConnection, at position: StreamPosition) throws -> Bool? {
        try DeviceListStore.exists(position, on: connection)
    }
}
