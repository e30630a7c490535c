// The record of one message to one device.

import MatrixCore
import Persistence
import Rooms

struct ToDeviceMessage: JournalRecord {
    let address: DeviceAddress
    /// The event as the client gets it.
    let json: [UInt8]

    init(to address: DeviceAddress, type: ByteString, sender: UserID, content: [UInt8]) {
        self.address = address
        var writer = JSONWriter(capacity: content.count + 128)
        writer.object { writer in
            writer.member("content", raw: content)
            writer.member("sender", sender.string)
            writer.member("type", type.string)
        }
        json = writer.bytes
    }

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try ToDeviceStore.insert(json, to: address.device, of: address.user, position: position, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: .toDevice(user: address.user, device: address.device))
    }

    func isStored(on connection: any SQLConnection, at position: StreamPosition) throws -> Bool? {
        try ToDeviceStore.exists(position, on: connection)
    }
}
