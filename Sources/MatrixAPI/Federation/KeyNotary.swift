// Server-Server API §Querying keys through another server.

import Federation
import Homeserver
import MatrixCore

enum KeyNotaryRoutes {
    static let table: [Route] = [
        Route(
            .get, templates: ["/_matrix/key/v2/query/{serverName}", "/_matrix/key/v2/query/{serverName}/{keyId}"], access: .open, one),
        Route(.post, templates: ["/_matrix/key/v2/query"], access: .open, many),
    ]

    /// The keys of one server. The key's name is of older versions of the specification.
    private static func one(_ context: APIContext) async throws -> APIResponse {
        let name = try context.parameter("serverName")
        guard let server = ServerName(valid: name) else { throw MatrixError.invalidParam("\(name) is not the name of a server") }
        let minimum = try context.queryInt("minimum_valid_until_ts").map { Timestamp(milliseconds: $0) }
        var keys: [ByteString: Timestamp?] = [:]
        if context.hasParameter("keyId") { keys[try storable(context.parameter("keyId"))] = .some(nil) }
        let query = KeyNotary.Query(server: server, keys: keys, minimumValidUntil: minimum)
        return response(try await context.homeserver.federation.notary.answer([query]))
    }

    private static func many(_ context: APIContext) async throws -> APIResponse {
        let wanted = try context.body().requiredObject("server_keys")
        guard wanted.count <= KeyNotary.serverLimit else {
            throw MatrixError.invalidParam("server_keys: not more than \(KeyNotary.serverLimit) servers at once")
        }
        var queries: [KeyNotary.Query] = []
        for (name, criteria) in wanted.members {
            guard let server = ServerName(valid: name.string) else {
                throw MatrixError.invalidParam("server_keys: \(name) is not the name of a server")
            }
            guard criteria.isObject, criteria.count <= KeyNotary.keyLimit else {
                throw MatrixError.badJSON("server_keys: \(name) must be an object of at most \(KeyNotary.keyLimit) keys")
            }
            var keys: [ByteString: Timestamp?] = [:]
            for (keyID, criterion) in criteria.members {
                keys[try storable(keyID.string)] = .some(
                    try criterion.optionalInt("minimum_valid_until_ts").map { Timestamp(milliseconds: $0) })
            }
            queries.append(KeyNotary.Query(server: server, keys: keys))
        }
        return response(try await context.homeserver.federation.notary.answer(queries))
    }

    private static func storable(_ keyID: String) throws(MatrixError) -> ByteString {
        guard !keyID.utf8.contains(0) else { throw .invalidParam("not the name of a key") }
        return ByteString(keyID)
    }

    private static func response(_ documents: [[UInt8]]) -> APIResponse {
        .object(capacity: documents.reduce(64) { $0 + $1.count + 1 }) { body in
            body.member("server_keys", array: { list in for document in documents { list.raw(document) } })
        }
    }
}
