// Logging out and deleting devices. Client-Server API §Logout, §Device Management.

import MatrixCore
import Persistence
import Rooms

extension SessionService {
    /// Ends the session of a token: deletes its device, or the token alone where it has none. Expired tokens can log out too.
    ///
    /// - Throws: `M_UNKNOWN_TOKEN`.
    package func logOut(token: String) async throws {
        let hash = TokenHash(token)
        let row = try await row(of: hash)
        if let device = row.device {
            try await deleteDevices([device], of: row.user)
        } else {
            try await database.write { try SessionStore.deleteAccessToken(id: row.id, on: $0) }
            forget(hash)
        }
    }

    /// Ends all sessions of the token's user.
    ///
    /// - Throws: `M_UNKNOWN_TOKEN`.
    package func logOutEverywhere(token: String) async throws {
        try await endAll(of: try await row(of: TokenHash(token)).user)
    }

    /// Whose token it is, for what is open to those as well whose accounts have ended.
    ///
    /// - Throws: `M_UNKNOWN_TOKEN`, `M_USER_DEACTIVATED`, `M_USER_LOCKED`.
    package func holder(of token: String) async throws -> UserID {
        let row = try await row(of: TokenHash(token))
        if row.isDeactivated { throw MatrixError.userDeactivated }
        if row.isLocked { throw MatrixError.userLocked }
        if let validUntil = row.validUntil, validUntil < .now { throw MatrixError.unknownToken(softLogout: true) }
        return row.user
    }

    /// Deletes all devices of a user but one, and the tokens of no device.
    package func endAll(of user: UserID, except kept: DeviceID? = nil) async throws {
        let devices = try await database.read { try DeviceStore.devices(of: user, on: $0).map(\.device) }.filter { $0 != kept }
        try await delete(devices, of: user) { connection in
            try SessionStore.deleteTokens(of: user, except: kept, on: connection)
            try LoginTokenStore.delete(of: user, on: connection)
        }
        forget(user)
    }

    /// Deletes devices with their tokens, keys and messages, and announces it. Devices that do not exist are passed over.
    package func deleteDevices(_ devices: [DeviceID], of user: UserID) async throws {
        let existing = try await database.read { connection in
            try devices.filter { try DeviceStore.exists($0, of: user, on: connection) }
        }
        guard !existing.isEmpty else { return }
        try await delete(existing, of: user) { _ in }
        forget(user, devices: existing)
    }

    // MARK: Steps

    private func row(of hash: TokenHash) async throws -> AccessTokenRow {
        let bytes = hash.bytes
        guard let row = try await database.read({ try SessionStore.accessToken(bytes, on: $0) }) else {
            throw MatrixError.unknownToken(softLogout: false)
        }
        return row
    }

    private func delete(
        _ devices: [DeviceID], of user: UserID, alongside: @escaping @Sendable (any SQLConnection) throws -> Void
    ) async throws {
        let observers = observers
        let records = devices.isEmpty ? [] : observers.flatMap { $0.records(forChangeOf: devices, of: user) }
        try await journal.append(
            JournalBatch(
                records: records,
                alongside: { connection in
                    for device in devices {
                        try SessionStore.deleteTokens(of: device, of: user, on: connection)
                        for observer in observers { try observer.deleteRows(of: device, user: user, on: connection) }
                        try DeviceStore.delete(device, of: user, on: connection)
                    }
                    try alongside(connection)
                }))
        for observer in observers { await observer.didDelete(devices, of: user) }
    }
}
