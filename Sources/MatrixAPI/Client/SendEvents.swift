// Sending events into rooms. Client-Server API §Sending events to a room, §Redactions.

import Homeserver
import MatrixCore
import Rooms

enum SendEventRoutes {
    /// Beside the forms of the specification those of the first version that Synapse still answers: POST, without a transaction id.
    static let table: [Route] = [
        .client(.put, "/rooms/{roomId}/send/{eventType}/{txnId}", legacy: true, send),
        .client(.post, "/rooms/{roomId}/send/{eventType}", legacy: true, send),
        .client(.put, "/rooms/{roomId}/redact/{eventId}/{txnId}", legacy: true, redact),
        .client(.post, "/rooms/{roomId}/redact/{eventId}", legacy: true, redact),
        .client(.put, "/rooms/{roomId}/state/{eventType}", legacy: true, setState),
        .client(.put, "/rooms/{roomId}/state/{eventType}/{stateKey}", legacy: true, setState),
    ]

    private static func send(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let type = ByteString(try context.parameter("eventType"))
        let redacted = type == "m.room.redaction" ? try context.optionalBody()["redacts"]?.string.flatMap { EventID(valid: $0) } : nil
        let deed: AccountDeed = if let redacted { try await redaction(of: redacted, by: requester, context) } else { .send }
        try await context.homeserver.gate.check(deed, by: requester)
        let room = try await room(context)
        let draft = EventDraft(type: type, content: context.request.body, sender: requester.user)
        if let answer = try await delayed(draft, in: room.id, context) { return answer }
        try context.homeserver.rateLimits.check(deed, by: requester.user)
        return answer(try await room.send(draft, from: try origin(context, requester)))
    }

    private static func redact(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let target = try context.eventID("eventId")
        let deed = try await redaction(of: target, by: requester, context)
        try await context.homeserver.gate.check(deed, by: requester)
        let room = try await room(context)
        let content = JSONObject(try context.optionalBody())
        if let named = content["redacts"], room.version.redactsInContent, named != .string(target.string) {
            throw MatrixError.invalidParam("redacts in the content contradicts the event id in the path")
        }
        let draft = EventDraft(type: "m.room.redaction", content: content, sender: requester.user, redacts: target)
        try context.homeserver.rateLimits.check(deed, by: requester.user)
        return answer(try await room.send(draft, from: try origin(context, requester)))
    }

    private static func setState(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let type = ByteString(try context.parameter("eventType"))
        let stateKey = ByteString((try? context.parameter("stateKey")) ?? "")
        let content = try context.body()
        try await context.homeserver.gate.check(deed(of: type, stateKey, content, by: requester), by: requester, in: context.namedRoom)
        let draft = EventDraft(type: type, stateKey: stateKey, content: context.request.body, sender: requester.user)
        if let answer = try await delayed(draft, in: try context.roomID("roomId"), context) { return answer }
        // A membership has limits of its own, and counts there.
        if type == "m.room.member" { return answer(try await setMembership(content, stateKey, context)) }

        try context.homeserver.rateLimits.check(.message, of: requester.user.text)
        let room = try await room(context)
        try checkText(content, of: type)
        if type == "m.room.canonical_alias", stateKey == "" {
            try await context.homeserver.directory.checkCanonicalAlias(content, in: room)
        }
        return answer(
            try await room.send(draft, from: EventOrigin(user: requester.user, device: requester.device)))
    }

    /// What a room is called and what it is about must be texts: clients show them everywhere.
    private static func checkText(_ content: JSON, of type: ByteString) throws(MatrixError) {
        let properties: [ByteString: String] = ["m.room.name": "name", "m.room.topic": "topic"]
        guard let property = properties[type] else { return }
        guard content[property]?.isString == true else { throw .badJSON("'\(property)' must be a string") }
    }

    private static func setMembership(_ content: JSON, _ stateKey: ByteString, _ context: APIContext) async throws -> EventID {
        let target: UserID
        do { target = try UserID(parsing: stateKey.string) } catch { throw MatrixError(error) }
        return try await context.homeserver.memberships.set(
            JSONObject(content), of: target, in: try context.roomID("roomId"), by: try context.requester)
    }

    /// The answer to a request that asks for a delay: the event is taken, and sent later. MSC4140.
    private static func delayed(_ draft: EventDraft, in room: RoomID, _ context: APIContext) async throws -> APIResponse? {
        guard let delay = try context.queryInt("org.matrix.msc4140.delay") else { return nil }
        try context.homeserver.rateLimits.check(.message, of: draft.sender.text)
        _ = try context.body()
        let id = try await context.homeserver.delayedEvents.schedule(draft, in: room, after: delay, by: try context.requester)
        return .object { $0.member("delay_id", id) }
    }

    // MARK: What is done

    /// Whose event is redacted matters to few: to suspended users, and where moderators have a limit of their own.
    private static func redaction(of target: EventID, by requester: Requester, _ context: APIContext) async throws -> AccountDeed {
        guard requester.isSuspended || context.homeserver.configuration.rateLimits.adminRedaction != nil else { return .redact(own: true) }
        let event = try await context.homeserver.events.event(target, in: try context.roomID("roomId"))
        return .redact(own: event?.sender == requester.user)
    }

    /// What somebody does by setting state.
    private static func deed(
        of type: ByteString, _ stateKey: ByteString, _ content: JSON, by requester: Requester
    ) -> AccountDeed {
        guard type == "m.room.member" else { return .send }
        let isOwn = stateKey == requester.user.text
        return switch content["membership"]?.string {
        case "join" where isOwn: .join
        case "knock" where isOwn: .knock
        case "leave" where isOwn: .leave
        case "invite": .invite
        default: .moderate
        }
    }

    // MARK: Steps

    /// The room of the path. That one is unknown is told as if the user were not in it.
    private static func room(_ context: APIContext) async throws -> Room {
        let id = try context.roomID("roomId")
        guard let room = try await context.homeserver.rooms.room(id) else {
            throw MatrixError.forbidden("User \(try context.requester.user) not in room \(id)")
        }
        return room
    }

    private static func origin(_ context: APIContext, _ requester: Requester) throws -> EventOrigin {
        let transaction = context.request.method == .put ? try context.parameter("txnId") : nil
        return EventOrigin(user: requester.user, device: requester.device, transactionID: transaction)
    }

    private static func answer(_ id: EventID) -> APIResponse {
        .object { $0.member("event_id", id) }
    }
}
