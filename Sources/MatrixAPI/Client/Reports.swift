// Reporting events, rooms and users. Client-Server API §Reporting Content.

import Homeserver
import MatrixCore

enum ReportRoutes {
    static let table: [Route] = [
        .client(.post, "/rooms/{roomId}/report/{eventId}", legacy: true, bodyLimit: bodyLimit, reportEvent),
        .client(.post, "/rooms/{roomId}/report", versions: ["v3"], bodyLimit: bodyLimit, reportRoom),
        .client(.post, "/users/{userId}/report", versions: ["v3"], bodyLimit: bodyLimit, reportUser),
    ]

    private static let bodyLimit = 16 * 1024

    private static func reportEvent(_ context: APIContext) async throws -> APIResponse {
        let (body, reporter) = (try context.body(), try context.requester.user)
        try await context.homeserver.reports.report(
            try context.eventID("eventId"), in: try context.roomID("roomId"), by: reporter, reason: try body.optionalString("reason"),
            score: try body.optionalInt("score"), content: context.request.body)
        return .empty
    }

    private static func reportRoom(_ context: APIContext) async throws -> APIResponse {
        let (body, reporter) = (try context.body(), try context.requester.user)
        try await context.homeserver.reports.report(
            try context.roomID("roomId"), by: reporter, reason: try body.requiredString("reason"), content: context.request.body)
        return .empty
    }

    private static func reportUser(_ context: APIContext) async throws -> APIResponse {
        let (body, reporter) = (try context.body(), try context.requester.user)
        try await context.homeserver.reports.report(
            try context.userID("userId"), by: reporter, reason: try body.requiredString("reason"), content: context.request.body)
        return .empty
    }
}
