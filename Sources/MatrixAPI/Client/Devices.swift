// Client-Server API §Device Management.

import Homeserver
import MatrixCore
import Persistence

enum DeviceRoutes {
    static let table: [Route] = [
        .client(.get, "/devices", list),
        .client(.get, "/devices/{deviceId}", show),
        .client(.put, "/devices/{deviceId}", rename),
        .client(.delete, "/devices/{deviceId}", deleteOne),
        .client(.post, "/delete_devices", deleteSeveral),
    ]

    private static func list(_ context: APIContext) async throws -> APIResponse {
        let user = try context.requester.user
        let devices = try await context.homeserver.devices.devices(of: user)
        return .object { writer in
            writer.key("devices")
            writer.array { writer in
                for device in devices { write(device, of: user, to: &writer) }
            }
        }
    }

    private static func show(_ context: APIContext) async throws -> APIResponse {
        let user = try context.requester.user
        let device = try await context.homeserver.devices.device(context.deviceID("deviceId"), of: user)
        return .json { writer in write(device, of: user, to: &writer) }
    }

    private static func rename(_ context: APIContext) async throws -> APIResponse {
        let (requester, device) = (try context.requester, try context.deviceID("deviceId"))
        let name = try context.body().optionalString("display_name")
        if requester.service != nil, try await make(device, called: name, for: requester, context) {
            return .object(status: 201) { _ in }
        }
        try await context.homeserver.devices.rename(device, of: requester.user, to: name)
        return .empty
    }

    /// Makes a device for the user of an application service. Application Service API §Device management.
    ///
    /// - Returns: false where there is one.
    private static func make(
        _ device: DeviceID, called name: String?, for requester: Requester, _ context: APIContext
    ) async throws -> Bool {
        try SessionService.checkDevice(device.string, displayName: name)
        return try await context.homeserver.sessions.addDevice(device, of: requester.user, displayName: name)
    }

    private static func deleteOne(_ context: APIContext) async throws -> APIResponse {
        try checkMayDelete(context)
        return try await delete([context.deviceID("deviceId")], context)
    }

    /// With an authentication service, people end their sessions there; application services end their users' devices here.
    private static func checkMayDelete(_ context: APIContext) throws(MatrixError) {
        if try context.requester.service == nil { try LoginRoutes.checkIsOurs(context) }
    }

    private static func deleteSeveral(_ context: APIContext) async throws -> APIResponse {
        try checkMayDelete(context)
        let devices = try context.body().requiredArray("devices").elements.map { element throws(MatrixError) -> DeviceID in
            guard let id = element.string else { throw .badJSON("devices must be a list of strings") }
            return DeviceID(trusted: id)
        }
        return try await delete(devices, context)
    }

    private static func delete(_ devices: [DeviceID], _ context: APIContext) async throws -> APIResponse {
        let (requester, body) = (try context.requester, try context.optionalBody())
        return try await answeringChallenges {
            if requester.service == nil { try await context.authenticateInteractively(body, mayBeRecent: true) }
            try await context.homeserver.devices.delete(devices, of: requester.user)
            return .empty
        }
    }

    private static func write(_ device: DeviceRow, of user: UserID, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("device_id", device.device)
            if let name = device.displayName { writer.member("display_name", name) }
            if let ip = device.lastSeenIP { writer.member("last_seen_ip", ip) }
            if let time = device.lastSeen { writer.member("last_seen_ts", time) }
            writer.member("user_id", user)
        }
    }
}
