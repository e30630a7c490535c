// A user's devices: shown, renamed, deleted. Client-Server API §Device Management.

import MatrixCore
import Persistence
import Rooms

package struct DeviceService: Sendable {
    private let database: any Database
    private let journal: Journal
    private let sessions: SessionService

    /// The longest display name, in characters as Synapse counts them: Unicode scalars.
    package static let displayNameLimit = 100

    package init(database: any Database, journal: Journal, sessions: SessionService) {
        self.database = database
        self.journal = journal
        self.sessions = sessions
    }

    /// All devices of a user, in the order of their ids.
    package func devices(of user: UserID) async throws -> [DeviceRow] {
        await sessions.activity.write()
        return try await database.read { try DeviceStore.devices(of: user, on: $0) }
    }

    /// From where a user's devices were used, by device; the newest use first.
    package func addresses(of user: UserID) async throws -> [(device: DeviceID, addresses: [UserAddressRow])] {
        await sessions.activity.write()
        let rows = try await database.read { try UserAddressStore.addresses(of: user, on: $0) }
        return Dictionary(grouping: rows, by: \.device).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// - Throws: `M_NOT_FOUND`.
    package func device(_ device: DeviceID, of user: UserID) async throws -> DeviceRow {
        await sessions.activity.write()
        let row = try await database.read { try DeviceStore.device(device, of: user, on: $0) }
        guard let row else { throw DeviceService.noDevice }
        return row
    }

    /// Gives a device another name; those who share a room with its owner see it.
    ///
    /// - Parameter displayName: nil leaves the name as it is.
    /// - Throws: `M_NOT_FOUND`; `M_TOO_LARGE` (400) and `M_INVALID_PARAM` for names that cannot be.
    package func rename(_ device: DeviceID, of user: UserID, to displayName: String?) async throws {
        _ = try await self.device(device, of: user)
        guard let displayName else { return }
        guard displayName.unicodeScalars.count <= DeviceService.displayNameLimit else {
            throw MatrixError(
                status: 400, errcode: "M_TOO_LARGE",
                message: "Device display name is too long (max \(DeviceService.displayNameLimit))")
        }
        guard !displayName.utf8.contains(0) else {
            throw MatrixError.invalidParam("Device display name holds a character that is not allowed")
        }
        try await journal.append(
            JournalBatch(
                records: [DeviceListChange(user: user, .device(device))],
                alongside: { connection in
                    guard try DeviceStore.setDisplayName(displayName, of: device, of: user, on: connection) else {
                        throw DeviceService.noDevice
                    }
                }))
    }

    /// Deletes devices with their tokens, keys and undelivered messages, and announces it. Those that do not exist are passed over.
    package func delete(_ devices: [DeviceID], of user: UserID) async throws {
        try await sessions.deleteDevices(devices, of: user)
    }

    private static let noDevice = MatrixError.notFound("No device found")
}
