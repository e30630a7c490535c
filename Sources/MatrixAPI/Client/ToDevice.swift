// Client-Server API §Send-to-Device messaging.

import Homeserver
import MatrixCore

enum ToDeviceRoutes {
    static let table: [Route] = [
        .client(.put, "/sendToDevice/{eventType}/{txnId}", bodyLimit: bodyLimit, send)
    ]

    /// Room for a message to each device of a large room; Synapse's limit.
    private static let bodyLimit = 200 * 64 * 1024

    private static func send(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let type = try ByteString(context.parameter("eventType"))
        let transaction = try context.parameter("txnId")
        var request = try ToDeviceRequest(type: type, context.body())
        request.limitKeyRequests(by: requester, context.homeserver.rateLimits)
        try await context.homeserver.toDevice.send(request, transaction: transaction, from: requester)
        return .empty
    }
}
