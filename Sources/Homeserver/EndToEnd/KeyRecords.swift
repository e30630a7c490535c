// The records of POST /keys/upload.

import MatrixCore
import Persistence
import Rooms

/// A device's identity keys are new: everyone who shares a room with its user asks for them again.
struct DeviceKeysChange: JournalRecord {
    let address: DeviceAddress
    let json: [UInt8]

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try DeviceKeyStore.set(json, of: address.device, of: address.user, on: connection)
        try DeviceListStore.insert(address.user, .device(address.device), position: position, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: .deviceList(user: address.user))
    }

    func isStored(on connection: any SQLConnection, at position: StreamPosition) throws -> Bool? {
        try DeviceListStore.exists(position, on: connection)
    }
}

/// A device has new one-time or fallback keys. Writing it twice at one position changes nothing more.
struct OneTimeKeysAdded: JournalRecord {
    let address: DeviceAddress
    let oneTimeKeys: [StoredKey]
    let fallbackKeys: [StoredKey]
    /// Keys that were handed out before this time are forgotten.
    let forgetBefore: Timestamp

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        let (user, device) = (address.user, address.device)
        if !oneTimeKeys.isEmpty {
            try OneTimeKeyStore.deleteKeys(claimedBefore: forgetBefore, of: device, of: user, on: connection)
        }
        for key in oneTimeKeys {
            try OneTimeKeyStore.insert(key, of: device, of: user, position: position, on: connection)
        }
        for key in fallbackKeys {
            try OneTimeKeyStore.setFallback(key, of: device, of: user, on: connection)
        }
    }

    func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: .oneTimeKeys(user: address.user, device: address.device))
    }
}
