// MSC3814: dehydrated devices.

import Homeserver
import MatrixCore
import Persistence

enum DehydratedDeviceRoutes {
    static let table: [Route] = [
        .client(.put, path, versions: versions, bodyLimit: bodyLimit, put),
        .client(.get, path, versions: versions, show),
        .client(.delete, path, versions: versions, delete),
        .client(.get, path + "/{deviceId}/events", versions: versions, events),
        .client(.post, path + "/{deviceId}/events", versions: versions, eventsAsPosted),
    ]

    private static let versions = ["unstable"]
    private static let path = "/org.matrix.msc3814.v1/dehydrated_device"
    /// A device with its one-time keys.
    private static let bodyLimit = 1 << 20
    /// How many events a page has, unless the client says otherwise, and at most.
    private static let pageSize: Int64 = 100
    private static let pageLimit: Int64 = 1000

    private static func put(_ context: APIContext) async throws -> APIResponse {
        let user = try context.requester.user
        let upload = try DehydratedDeviceUpload(context.body(), of: user)
        try await context.homeserver.dehydratedDevices.set(upload, of: user)
        return answer(upload.device.device)
    }

    private static func show(_ context: APIContext) async throws -> APIResponse {
        let device = try await context.homeserver.dehydratedDevices.device(of: context.requester.user)
        return .object { writer in
            writer.member("device_data", raw: device.data)
            writer.member("device_id", device.device)
        }
    }

    private static func delete(_ context: APIContext) async throws -> APIResponse {
        try await answer(context.homeserver.dehydratedDevices.delete(of: context.requester.user))
    }

    private static func answer(_ device: DeviceID) -> APIResponse {
        .object { $0.member("device_id", device) }
    }

    // MARK: Events

    /// `next_batch` where there are more.
    private static func events(_ context: APIContext) async throws -> APIResponse {
        try await page(context, from: context.query("from"), alwaysNamesNext: false)
    }

    /// As an earlier draft had it: `next_batch` in the body, and in every answer.
    private static func eventsAsPosted(_ context: APIContext) async throws -> APIResponse {
        try await page(context, from: context.optionalBody().optionalString("next_batch"), alwaysNamesNext: true)
    }

    private static func page(_ context: APIContext, from token: String?, alwaysNamesNext: Bool) async throws -> APIResponse {
        let position = try token.map { (text) throws(MatrixError) in try self.position(text) } ?? .zero
        let limit = min(max(try context.queryInt("limit") ?? pageSize, 1), pageLimit)
        let page = try await context.homeserver.dehydratedDevices.events(
            for: context.deviceID("deviceId"), of: context.requester.user, after: position, limit: Int(limit))
        return .object(capacity: page.events.reduce(128) { $0 + $1.count + 1 }) { writer in
            writer.member("events", array: { writer in for event in page.events { writer.raw(event) } })
            if page.isLimited || alwaysNamesNext { writer.member("next_batch", "d\(page.next)") }
        }
    }

    /// `d` and a position.
    private static func position(_ token: String) throws(MatrixError) -> StreamPosition {
        guard token.utf8.first == UInt8(ascii: "d"), let value = Int64(token.dropFirst()), value >= 0 else {
            throw .invalidParam("from parameter has an invalid format")
        }
        return StreamPosition(value)
    }
}
