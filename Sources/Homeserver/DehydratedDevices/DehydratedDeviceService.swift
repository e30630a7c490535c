// Devices that take messages while their owner has none. MSC3814.

import MatrixCore
import Persistence
import Rooms

/// The body of `PUT /dehydrated_device`, checked.
package struct DehydratedDeviceUpload: Sendable {
    package let device: DehydratedDeviceRow
    package let displayName: String?
    package let keys: KeyUpload

    /// The largest `device_data` in bytes.
    package static let dataLimit = 65_536

    /// - Throws: `M_MISSING_PARAM`, `M_BAD_JSON`, `M_INVALID_PARAM`, `M_TOO_LARGE`.
    package init(_ body: JSON, of user: UserID) throws(MatrixError) {
        guard let id = body["device_id"] else { throw .missingParam("Missing device_id") }
        guard let id = id.string else { throw .badJSON("device_id must be a string") }
        let device: DeviceID
        do { device = try DeviceID(parsing: id) } catch { throw MatrixError(error) }
        guard let data = body["device_data"] else { throw .missingParam("Missing device_data") }
        guard let algorithm = data["algorithm"], algorithm.isString else {
            throw .badJSON("device_data must be an object with an algorithm")
        }
        guard data.byteRange.count <= DehydratedDeviceUpload.dataLimit else {
            throw .tooLarge("device_data is longer than \(DehydratedDeviceUpload.dataLimit) bytes")
        }
        let name = body["initial_device_display_name"].flatMap { $0.isNull ? nil : $0 }
        guard name?.isString ?? true else { throw .badJSON("initial_device_display_name must be a string") }
        displayName = name?.string
        try SessionService.checkDevice(id, displayName: displayName)
        keys = try KeyUpload(body, by: DeviceAddress(user: user, device: device))
        guard keys.deviceKeys != nil else { throw .missingParam("Device key(s) not found, these must be provided.") }
        self.device = DehydratedDeviceRow(device: device, data: data.canonicalBytes)
    }
}

/// Keeps at most one dehydrated device for each user. To everybody else it is a device as any other; it has no session.
package struct DehydratedDeviceService: Sendable {
    private let database: any Database
    private let journal: Journal
    private let sessions: SessionService
    private let keys: EndToEndKeyService
    private let toDevice: ToDeviceService
    private let changes = KeyedQueue<UserID>()

    package init(
        database: any Database, journal: Journal, sessions: SessionService, keys: EndToEndKeyService, toDevice: ToDeviceService
    ) {
        self.database = database
        self.journal = journal
        self.sessions = sessions
        self.keys = keys
        self.toDevice = toDevice
    }

    /// The dehydrated device of a user.
    ///
    /// - Throws: `M_NOT_FOUND`.
    package func device(of user: UserID) async throws -> DehydratedDeviceRow {
        let device = try await database.read { try DehydratedDeviceStore.device(of: user, on: $0) }
        guard let device else { throw MatrixError.notFound("No dehydrated device available") }
        return device
    }

    /// Stores a device with its keys. The earlier dehydrated device of the user goes, with all that was sent to it.
    ///
    /// - Throws: `M_FORBIDDEN` where another device or key of the user has that id.
    package func set(_ upload: DehydratedDeviceUpload, of user: UserID) async throws {
        let device = upload.device
        try await changes.run(user) {
            let earlier = try await database.read { try DehydratedDeviceStore.device(of: user, on: $0)?.device }
            // The same id again: the device begins anew.
            if earlier == device.device { try await sessions.deleteDevices([device.device], of: user) }
            let records = try await keys.records(of: upload.keys, by: DeviceAddress(user: user, device: device.device))
            try await journal.append(
                JournalBatch(
                    records: records,
                    alongside: { connection in
                        let isNew = try DeviceStore.insert(
                            device.device, of: user, displayName: upload.displayName, created: .now, on: connection)
                        guard isNew, try !CrossSigningStore.isPublicKey(device.device, of: user, on: connection) else {
                            throw MatrixError.forbidden("Device ID in use")
                        }
                        try DehydratedDeviceStore.set(device, of: user, on: connection)
                    }))
            if let earlier, earlier != device.device { try await sessions.deleteDevices([earlier], of: user) }
        }
    }

    /// Deletes the dehydrated device of a user.
    ///
    /// - Returns: its id.
    /// - Throws: `M_NOT_FOUND`.
    package func delete(of user: UserID) async throws -> DeviceID {
        try await changes.run(user) {
            let device = try await device(of: user).device
            try await sessions.deleteDevices([device], of: user)
            // Its row goes with the device; should the device have gone without it, there is nothing to wake up any more.
            try await database.write { try DehydratedDeviceStore.delete(device, of: user, on: $0) }
            return device
        }
    }

    /// A page of what was sent to the dehydrated device. It stays until the device is deleted.
    ///
    /// - Returns: the events as clients get them; where the next page begins, and whether there may be one now.
    /// - Throws: `M_FORBIDDEN` for any other device.
    package func events(
        for device: DeviceID, of user: UserID, after position: StreamPosition, limit: Int
    ) async throws -> (events: [[UInt8]], next: StreamPosition, isLimited: Bool) {
        let own = try await database.read { try DehydratedDeviceStore.device(of: user, on: $0)?.device }
        guard let own else { throw MatrixError.forbidden("No dehydrated device exists") }
        guard own == device else { throw MatrixError.forbidden("You may only fetch messages for your dehydrated device") }
        let now = journal.position
        let page = try await toDevice.pending(for: user, device: device, after: position, upTo: now, limit: limit)
        return (page.events, page.next, page.next != now)
    }
}
