// The record that announces a change among the devices of another server's user.

import MatrixCore
import Persistence
import Rooms

/// Says the same as `DeviceListChange`, of a user whose changes other servers are not told by this one: the newest change stands for all.
struct RemoteUserChange: JournalRecord {
    let user: UserID

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try DeviceListStore.replace(user, position: position, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: .deviceList(user: user))
    }

    func isStored(on connection: any SQLConnection, at position: StreamPosition) throws -> Bool? {
        try DeviceListStore.exists(position, on: connection)
    }
}
