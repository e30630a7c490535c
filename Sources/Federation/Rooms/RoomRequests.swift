// What other servers are asked about rooms. Server-Server API §Retrieving event authorization information, §Backfilling and retrieving
// missing events, §Retrieving events.

import MatrixCore

/// The state before an event, by the ids of its events.
package struct RemoteStateIDs: Sendable {
    package let state: [EventID]
    package let authChain: [EventID]
}

extension FederationClient {
    /// Auth chains and states of large rooms, in bytes.
    static let stateBodyLimit = 128 * 1024 * 1024
    /// Answers with up to a hundred events, in bytes.
    static let eventsBodyLimit = 16 * 1024 * 1024

    func event(_ id: EventID, at server: ServerName) async throws(FederationFailure) -> [JSON] {
        var request = FederationRequest.federation("GET", to: server, path: ["event", id.string])
        request.bodyLimit = Self.eventsBodyLimit
        return try list("pdus", of: await json(request))
    }

    func stateIDs(of room: RoomID, at event: EventID, from server: ServerName) async throws(FederationFailure) -> RemoteStateIDs {
        var request = FederationRequest.federation(
            "GET", to: server, path: ["state_ids", room.string], query: [("event_id", event.string)])
        request.bodyLimit = Self.stateBodyLimit
        let answer = try await json(request)
        return RemoteStateIDs(state: try ids("pdu_ids", of: answer), authChain: try ids("auth_chain_ids", of: answer))
    }

    func state(of room: RoomID, at event: EventID, from server: ServerName) async throws(FederationFailure) -> [JSON] {
        var request = FederationRequest.federation(
            "GET", to: server, path: ["state", room.string], query: [("event_id", event.string)])
        request.bodyLimit = Self.stateBodyLimit
        request.timeout = .seconds(120)
        let answer = try await json(request)
        return try list("pdus", of: answer) + list("auth_chain", of: answer)
    }

    func authChain(of event: EventID, in room: RoomID, from server: ServerName) async throws(FederationFailure) -> [JSON] {
        var request = FederationRequest.federation("GET", to: server, path: ["event_auth", room.string, event.string])
        request.bodyLimit = Self.stateBodyLimit
        return try list("auth_chain", of: await json(request))
    }

    /// The events between two ends of the room's graph, at most `limit`.
    func missingEvents(
        in room: RoomID, after earliest: [EventID], before latest: [EventID], limit: Int, from server: ServerName
    ) async throws(FederationFailure) -> [JSON] {
        let content: JSONObject = [
            "earliest_events": .array(earliest.map { .string($0.string) }), "latest_events": .array(latest.map { .string($0.string) }),
            "limit": .int(Int64(limit)), "min_depth": .int(0),
        ]
        var request = FederationRequest.federation(
            "POST", to: server, path: ["get_missing_events", room.string], content: content.canonicalBytes)
        request.bodyLimit = Self.eventsBodyLimit
        return try list("events", of: await json(request))
    }

    /// The events that led to `events`, those included, at most `limit`.
    func backfill(
        _ room: RoomID, from events: [EventID], limit: Int, at server: ServerName
    ) async throws(FederationFailure) -> [JSON] {
        var request = FederationRequest.federation(
            "GET", to: server, path: ["backfill", room.string], query: events.map { ("v", $0.string) } + [("limit", String(limit))])
        request.bodyLimit = Self.eventsBodyLimit
        return try list("pdus", of: await json(request))
    }

    // MARK: Answers

    private func list(_ name: String, of answer: JSON) throws(FederationFailure) -> [JSON] {
        guard let list = answer[name], list.isArray else { throw .malformed("its answer has no list \(name)") }
        return Array(list.elements)
    }

    private func ids(_ name: String, of answer: JSON) throws(FederationFailure) -> [EventID] {
        var ids: [EventID] = []
        for element in try list(name, of: answer) {
            guard let id = element.string.flatMap({ EventID(valid: $0) }) else { throw .malformed("\(name) holds what is no event ID") }
            ids.append(id)
        }
        return ids
    }
}
