// Events and states as other servers fetch them. Server-Server API §Retrieving events.

import Federation
import Homeserver
import MatrixCore
import Persistence

enum FederationEventRoutes {
    static let table: [Route] = [
        .federation(.get, "/event/{eventId}", event),
        .federation(.get, "/state/{roomId}", state),
        .federation(.get, "/state_ids/{roomId}", stateIDs),
        .federation(.get, "/event_auth/{roomId}/{eventId}", authChain),
        .federation(.get, "/timestamp_to_event/{roomId}", timestampToEvent),
    ]

    private static func event(_ context: APIContext) async throws -> APIResponse {
        let event = try await context.homeserver.federatedRooms.served.event(context.eventID("eventId"), for: context.origin)
        return context.transaction([event])
    }

    private static func state(_ context: APIContext) async throws -> APIResponse {
        let event: EventID = try context.identifierQuery("event_id")
        return .json(bytes: try await context.homeserver.federatedRooms.served.state(before: event, in: context.servedRoom))
    }

    private static func stateIDs(_ context: APIContext) async throws -> APIResponse {
        let event: EventID = try context.identifierQuery("event_id")
        return .json(bytes: try await context.homeserver.federatedRooms.served.stateIDs(before: event, in: context.servedRoom))
    }

    /// Server-Server API §Retrieve event auth chain.
    private static func authChain(_ context: APIContext) async throws -> APIResponse {
        .json(bytes: try await context.homeserver.federatedRooms.served.authChain(of: context.eventID("eventId"), in: context.servedRoom))
    }

    private static func timestampToEvent(_ context: APIContext) async throws -> APIResponse {
        guard let time = try context.queryInt("ts") else { throw MatrixError.missingParam("Missing query parameter ts") }
        let direction = try context.requiredQuery("dir")
        guard direction == "f" || direction == "b" else {
            throw MatrixError.invalidParam("Query parameter dir must be one of [\"f\", \"b\"]")
        }
        let found = try await context.homeserver.federatedRooms.served.event(
            nearest: Timestamp(milliseconds: time), isBackwards: direction == "b", in: context.servedRoom)
        return .object { body in
            body.member("event_id", found.id)
            body.member("origin_server_ts", found.timestamp)
        }
    }
}

extension APIContext {
    /// The room of the path, for a server that takes part in it.
    var servedRoom: ServedRoom {
        get async throws { try await homeserver.federatedRooms.served.joined(roomID("roomId"), by: origin) }
    }

    /// Events as a transaction holds them.
    func transaction(_ events: [[UInt8]]) -> APIResponse {
        .object(capacity: events.reduce(256) { $0 + $1.count + 1 }) { body in
            body.member("origin", homeserver.serverName)
            body.member("origin_server_ts", Timestamp.now)
            body.member("pdus", array: { list in for event in events { list.raw(event) } })
        }
    }

    /// - Throws: `M_MISSING_PARAM`, `M_INVALID_PARAM`.
    func identifierQuery<ID: MatrixIdentifier>(_ name: String) throws(MatrixError) -> ID {
        let text = try requiredQuery(name)
        do { return try ID(parsing: text) } catch { throw .invalidParam("\(name): \(text) is not a valid \(ID.self)") }
    }
}
