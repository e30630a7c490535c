// Client-Server API §Server-side key backups.

import Homeserver
import MatrixCore
import Persistence

enum KeyBackupRoutes {
    static let table: [Route] = [
        .client(.post, "/room_keys/version", create),
        .client(.get, "/room_keys/version", current),
        .client(.get, "/room_keys/version/{version}", show),
        .client(.put, "/room_keys/version/{version}", update),
        .client(.delete, "/room_keys/version/{version}", delete),
        .client(.put, "/room_keys/keys", bodyLimit: keysLimit, putKeys),
        .client(.put, "/room_keys/keys/{roomId}", bodyLimit: keysLimit, putKeys),
        .client(.put, "/room_keys/keys/{roomId}/{sessionId}", putKeys),
        .client(.get, "/room_keys/keys", allKeys),
        .client(.get, "/room_keys/keys/{roomId}", keysOfRoom),
        .client(.get, "/room_keys/keys/{roomId}/{sessionId}", keyOfSession),
        .client(.delete, "/room_keys/keys", deleteKeys),
        .client(.delete, "/room_keys/keys/{roomId}", deleteKeys),
        .client(.delete, "/room_keys/keys/{roomId}/{sessionId}", deleteKeys),
    ]

    /// Room for some thousand keys.
    private static let keysLimit = 8 << 20

    // MARK: Backups

    private static func create(_ context: APIContext) async throws -> APIResponse {
        let (algorithm, authData) = try description(in: context.body())
        let version = try await context.homeserver.keyBackups.create(
            algorithm: algorithm, authData: authData, of: context.requester.user)
        return .object { $0.member("version", String(version)) }
    }

    private static func current(_ context: APIContext) async throws -> APIResponse {
        try await answer(context.homeserver.keyBackups.backup(nil, of: context.requester.user))
    }

    private static func show(_ context: APIContext) async throws -> APIResponse {
        try await answer(context.homeserver.keyBackups.backup(context.parameter("version"), of: context.requester.user))
    }

    private static func update(_ context: APIContext) async throws -> APIResponse {
        let (version, body) = (try context.parameter("version"), try context.body())
        if let named = try body.optionalString("version"), ByteString(named) != ByteString(version) {
            throw MatrixError.invalidParam("Version in body does not match")
        }
        let (algorithm, authData) = try description(in: body)
        try await context.homeserver.keyBackups.update(version, algorithm: algorithm, authData: authData, of: context.requester.user)
        return .empty
    }

    private static func delete(_ context: APIContext) async throws -> APIResponse {
        try await context.homeserver.keyBackups.delete(context.parameter("version"), of: context.requester.user)
        return .empty
    }

    private static func description(in body: JSON) throws(MatrixError) -> (algorithm: String, authData: JSON) {
        guard let authData = body["auth_data"] else { throw .missingParam("Missing parameter: auth_data") }
        return (try body.requiredString("algorithm"), authData)
    }

    private static func answer(_ backup: KeyBackupRow) -> APIResponse {
        .object { writer in
            writer.member("algorithm", backup.algorithm)
            writer.member("auth_data", raw: backup.authData)
            writer.member("count", backup.count)
            writer.member("etag", String(backup.etag))
            writer.member("version", String(backup.version))
        }
    }

    // MARK: Keys

    private static func putKeys(_ context: APIContext) async throws -> APIResponse {
        let (scope, version) = (try scope(of: context), try context.requiredQuery("version"))
        let upload = try KeyBackupUpload(context.body(), scope: scope)
        return try await answer(context.homeserver.keyBackups.put(upload, to: version, of: context.requester.user))
    }

    private static func deleteKeys(_ context: APIContext) async throws -> APIResponse {
        let (scope, version) = (try scope(of: context), try context.requiredQuery("version"))
        return try await answer(context.homeserver.keyBackups.deleteSessions(scope, of: version, of: context.requester.user))
    }

    private static func allKeys(_ context: APIContext) async throws -> APIResponse {
        let sessions = try await sessions(context)
        return .object(capacity: capacity(for: sessions)) { writer in
            writer.member(
                "rooms",
                object: { writer in
                    var rest = sessions[...]
                    while let first = rest.first {
                        let run = rest.prefix { $0.room == first.room }
                        writer.member(first.room.string, object: { write(run, to: &$0) })
                        rest = rest.dropFirst(run.count)
                    }
                })
        }
    }

    /// A room without keys is not an error: clients need not tell it from one that has some.
    private static func keysOfRoom(_ context: APIContext) async throws -> APIResponse {
        let sessions = try await sessions(context)
        return .object(capacity: capacity(for: sessions)) { write(sessions[...], to: &$0) }
    }

    private static func keyOfSession(_ context: APIContext) async throws -> APIResponse {
        guard let session = try await sessions(context).first else { throw MatrixError.notFound("No room_keys found") }
        return .object(capacity: capacity(for: [session])) { write(session, to: &$0) }
    }

    private static func sessions(_ context: APIContext) async throws -> [BackedUpSession] {
        let (scope, version) = (try scope(of: context), try context.requiredQuery("version"))
        return try await context.homeserver.keyBackups.sessions(scope, of: version, of: context.requester.user)
    }

    /// What the path names.
    private static func scope(of context: APIContext) throws(MatrixError) -> KeyBackupScope {
        guard context.parameters.names.contains("roomId") else { return .all }
        let room = ByteString(try context.parameter("roomId"))
        try KeyBackupUpload.checkName(room)
        guard context.parameters.names.contains("sessionId") else { return .room(room) }
        let session = ByteString(try context.parameter("sessionId"))
        try KeyBackupUpload.checkName(session)
        return .session(room: room, session: session)
    }

    // MARK: Writing

    private static func answer(_ standing: KeyBackupService.Standing) -> APIResponse {
        .object { writer in
            writer.member("count", standing.count)
            writer.member("etag", String(standing.etag))
        }
    }

    private static func capacity(for sessions: [BackedUpSession]) -> Int {
        sessions.reduce(64) { $0 + $1.data.count + 192 }
    }

    private static func write(_ sessions: ArraySlice<BackedUpSession>, to writer: inout JSONWriter) {
        writer.member(
            "sessions",
            object: { writer in
                for session in sessions { writer.member(session.session.string, object: { write(session, to: &$0) }) }
            })
    }

    private static func write(_ session: BackedUpSession, to writer: inout JSONWriter) {
        writer.member("first_message_index", session.firstMessageIndex)
        writer.member("forwarded_count", session.forwardedCount)
        writer.member("is_verified", session.isVerified)
        writer.member("session_data", raw: session.data)
    }
}
