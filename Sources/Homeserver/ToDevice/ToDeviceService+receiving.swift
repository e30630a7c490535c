// Messages from users of other servers. Server-Server API §Send-to-device messaging.

import MatrixCore
import Persistence
import Rooms

extension ToDeviceService {
    /// How long a message is known again: its server may be unable to hear our answer for some weeks.
    private static let receivedMemory: Int64 = 30 * 24 * 60 * 60 * 1000

    /// The message was taken in before.
    private struct AlreadyReceived: Error {}

    /// Puts messages of another server's user into the inboxes of the devices they are for: all of them, or none where the message was taken
    /// in before. Those for users of other servers, and for devices that do not exist, are dropped.
    ///
    /// - Throws: where they could not be stored.
    package func receive(_ message: RemoteDeviceMessage, from origin: ServerName) async throws {
        let recipients = message.recipients.filter { $0.user.belongs(to: serverName) }
        let byUser = Dictionary(recipients.map { ($0.user, $0) }) { $1 }
        let users = recipients.map(\.user)
        let devices = try await database.read { connection -> [DeviceAddress]? in
            if try ReceivedMessageStore.exists(message.id, from: origin, on: connection) { return nil }
            guard !users.isEmpty else { return [] }
            return try ToDeviceStore.devices(of: users, on: connection).map { DeviceAddress(user: $0.user, device: $0.device) }
        }
        guard let devices else { return }
        let records = devices.compactMap { address in
            byUser[address.user]?.content(for: address.device).map {
                ToDeviceMessage(to: address, type: message.type, sender: message.sender, content: $0)
            }
        }
        let addresses = Set(records.map(\.address))
        ledger.withLock { $0.beginSending(to: addresses) }
        defer { ledger.withLock { $0.endSending(to: addresses) } }
        do {
            try await journal.append(
                JournalBatch(
                    records: records,
                    alongside: { connection in
                        let isNew = try ReceivedMessageStore.insert(message.id, from: origin, at: .now, on: connection)
                        if !isNew { throw AlreadyReceived() }
                    }))
        } catch is AlreadyReceived {
            return
        }
    }

    /// Forgets messages that nobody will send again.
    package func forgetReceivedMessages() async throws {
        let limit = Timestamp.now.advanced(byMilliseconds: -Self.receivedMemory)
        try await database.write { try ReceivedMessageStore.delete(before: limit, on: $0) }
    }
}
