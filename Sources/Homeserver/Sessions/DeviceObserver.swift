// What other subjects do when a user's devices come and go: the device-list stream announces it, keys and
// messages of a deleted device are removed with it.

import MatrixCore
import Persistence
import Rooms

/// Takes part in the creation and deletion of devices. `SessionService` calls every observer it was given.
package protocol DeviceObserver: Sendable {
    /// Records to be written, each with a position, in the transaction that creates or deletes `devices`.
    func records(forChangeOf devices: [DeviceID], of user: UserID) -> [any JournalRecord]

    /// Deletes the rows that belong to a device, in the transaction that deletes it.
    func deleteRows(of device: DeviceID, user: UserID, on connection: any SQLConnection) throws

    /// Called when the deletion is durable: caches forget the devices, waiting requests of them end.
    func didDelete(_ devices: [DeviceID], of user: UserID) async
}

extension DeviceObserver {
    package func records(forChangeOf devices: [DeviceID], of user: UserID) -> [any JournalRecord] { [] }
    package func deleteRows(of device: DeviceID, user: UserID, on connection: any SQLConnection) throws {}
    package func didDelete(_ devices: [DeviceID], of user: UserID) async {}
}
