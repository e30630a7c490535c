// What clients keep for their user. Client-Server API §Client Config.

import Homeserver
import MatrixCore

enum AccountDataRoutes {
    static let table: [Route] = [
        .client(.get, "/user/{userId}/account_data/{type}", read),
        .client(.put, "/user/{userId}/account_data/{type}", bodyLimit: bodyLimit, write),
        .client(.get, "/user/{userId}/rooms/{roomId}/account_data/{type}", readOfRoom),
        .client(.put, "/user/{userId}/rooms/{roomId}/account_data/{type}", bodyLimit: bodyLimit, writeOfRoom),
        // MSC3391.
        .client(.delete, "/org.matrix.msc3391/user/{userId}/account_data/{type}", versions: ["unstable"]) { context in
            try await delete(context, room: nil)
        },
        .client(.delete, "/org.matrix.msc3391/user/{userId}/rooms/{roomId}/account_data/{type}", versions: ["unstable"]) { context in
            try await delete(context, room: context.roomID("roomId"))
        },
    ]

    /// Bytes: lists of direct chats and of ignored users grow with the account.
    private static let bodyLimit = 1024 * 1024

    private static func read(_ context: APIContext) async throws -> APIResponse {
        try await read(context, room: nil)
    }

    private static func readOfRoom(_ context: APIContext) async throws -> APIResponse {
        try await read(context, room: context.roomID("roomId"))
    }

    private static func write(_ context: APIContext) async throws -> APIResponse {
        try await write(context, room: nil)
    }

    private static func writeOfRoom(_ context: APIContext) async throws -> APIResponse {
        try await write(context, room: context.roomID("roomId"))
    }

    private static func read(_ context: APIContext, room: RoomID?) async throws -> APIResponse {
        let user = try context.ownUser("Cannot get account data for other users.")
        let type = ByteString(try context.parameter("type"))
        guard let content = try await context.homeserver.accountData.content(type, room: room, of: user) else {
            throw MatrixError.notFound("Account data not found")
        }
        return .json(bytes: content)
    }

    private static func write(_ context: APIContext, room: RoomID?) async throws -> APIResponse {
        let user = try context.ownUser("Cannot add account data for other users.")
        let type = ByteString(try context.parameter("type"))
        let content = Array(try context.body().bytes)
        try await context.homeserver.accountData.put(type, room: room, content: content, of: user)
        return .empty
    }

    private static func delete(_ context: APIContext, room: RoomID?) async throws -> APIResponse {
        let user = try context.ownUser("Cannot delete account data for other users.")
        try await context.homeserver.accountData.delete(ByteString(try context.parameter("type")), room: room, of: user)
        return .empty
    }
}
