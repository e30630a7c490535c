// Asking other servers about names: of people and of rooms. Server-Server API §Querying for information.

import MatrixCore
import Rooms

extension FederationClient {
    /// GET /query/profile.
    ///
    /// - Parameter field: the only one that is wanted; nil: all.
    package func profile(of user: UserID, field: ByteString?) async throws(FederationFailure) -> JSON {
        var query = [("user_id", user.string)]
        if let field { query.append(("field", field.string)) }
        var request = FederationRequest.federation("GET", to: user.server, path: ["query", "profile"], query: query)
        request.timeout = Self.queryTimeout
        request.bodyLimit = Self.profileLimit
        return try await json(request)
    }

    /// Bytes. A profile may have 64 KiB, and escapes in its JSON.
    private static let profileLimit = 512 * 1024
    /// Bytes. Some thousand names of servers.
    private static let aliasLimit = 1024 * 1024
    /// Somebody waits for the answer.
    private static let queryTimeout = Duration.seconds(15)
}

extension FederationClient: RemoteAliases {
    /// How many servers of an answer are kept.
    private static let serverLimit = 500

    /// GET /query/directory.
    package func resolve(_ alias: RoomAlias) async throws -> (room: RoomID, servers: [ServerName])? {
        var request = FederationRequest.federation(
            "GET", to: alias.server, path: ["query", "directory"], query: [("room_alias", alias.string)])
        request.timeout = Self.queryTimeout
        request.bodyLimit = Self.aliasLimit
        let answer: JSON
        do {
            answer = try await json(request)
        } catch .answered(let error) where error.status == 404 {
            return nil
        } catch {
            throw MatrixError(error, or: "Failed to fetch alias")
        }
        guard let room = answer["room_id"]?.string.flatMap({ RoomID(valid: $0) }) else { return nil }
        let servers = (answer["servers"]?.elements.lazy.compactMap { $0.string.flatMap { ServerName(valid: $0) } }).map {
            Array($0.prefix(Self.serverLimit))
        }
        return (room, servers ?? [])
    }
}

extension MatrixError {
    /// What a client is told of a query that failed: that another server is not spoken with, or else only that it failed.
    package init(_ failure: FederationFailure, or message: String) {
        if case .notAllowed = failure {
            self = failure.asMatrixError
        } else {
            self = .unknown(message, status: 502)
        }
    }
}
