// How users of this server come into rooms of others, and out of them. Server-Server API §Joining Rooms, §Leaving Rooms (Rejecting
// Invites), §Knocking upon a room.

import Logging
import MatrixCore
import Persistence
import Rooms

/// Joins, leaves and knocks by way of another server, for rooms that this server is not in.
package struct RemoteMembership: Sendable {
    let client: FederationClient
    let verifier: EventVerifier
    let intake: EventIntake
    let rooms: RoomRegistry
    let completion: RoomCompletionService
    let logger: Logger
    /// One handover of a room at a time.
    private let queues = KeyedQueue<RoomID>()

    /// How many servers are tried.
    private static let serverLimit = 20

    package init(
        client: FederationClient, verifier: EventVerifier, intake: EventIntake, rooms: RoomRegistry, completion: RoomCompletionService,
        logger: Logger
    ) {
        self.client = client
        self.verifier = verifier
        self.intake = intake
        self.rooms = rooms
        self.completion = completion
        self.logger = logger
    }

    private var environment: RoomEnvironment { rooms.environment }

    // MARK: Joining

    /// Makes a user of this server a member, and this server a participant, of a room.
    ///
    /// - Parameters:
    ///   - content: what the member event says besides the membership.
    ///   - servers: that may be in the room, the likeliest first.
    /// - Throws: `MatrixError` of the last server that was asked.
    package func join(_ room: RoomID, by user: UserID, content: JSONObject, via servers: [ServerName]) async throws {
        try await queues.run(room) {
            let known = try await rooms.room(room)
            // Also of a room that is here, where none of our users may let others in.
            let here = known.flatMap { $0.current.isJoined(by: environment.serverName) ? $0 : nil }
            // Of a room that was here before most members are known: it comes in whole.
            let omitsMembers = known == nil || here?.current.isPartial == true
            try await ask(servers) { server in
                let template = try await client.template(.join, of: user, in: room, at: server)
                let event = try self.event(from: template, .join, content: content)
                let answer = try await client.sendJoin(event, to: server, omitsMembers: omitsMembers)
                let join = try await authorisedJoin(event, answer)
                if let here { return try await take(join, in: here, from: server) }
                let check = HandoverCheck(verifier: verifier, version: template.version, room: room)
                let handover = try await check.check(answer, join: join, from: server)
                logger.info(
                    "joined a room",
                    metadata: [
                        "room": "\(room)", "server": "\(server)", "state": "\(handover.state.count) events",
                        "members": handover.omission == nil ? "all" : "later",
                    ])
                let taken = try await rooms.takeOver(handover)
                if handover.omission != nil { completion.begin(taken) }
            }
        }
    }

    /// Guests are an idea of the server that they are from, and no other would refuse them: that has to be known before they are in.
    /// A server that has a user of ours invited tells what the room is like.
    package func letsGuestsIn(_ room: RoomID, via servers: [ServerName]) async throws -> Bool {
        try await ask(servers) { server in
            let summary = try await client.hierarchy(of: room, suggestedOnly: false, at: server)["room"]
            guard summary?["room_id"]?.isString(room.string) == true, let answer = summary?["guest_can_join"]?.bool else {
                throw FederationFailure.malformed("it does not say whether guests can join")
            }
            return answer
        }
    }

    private func take(_ join: Event, in room: Room, from server: ServerName) async throws {
        do {
            let receipt = try await intake.take(RemoteEvent(join), in: room, from: server)
            if let refusal = receipt.refusal { throw MatrixError.forbidden(refusal) }
        } catch let error as MissingFoundation {
            throw MatrixError.forbidden(error.description)
        }
    }

    /// The join as the other server has let it in: a restricted join has its signature too.
    private func authorisedJoin(_ event: Event, _ answer: JoinAnswer) async throws -> Event {
        guard event.content()["join_authorised_via_users_server"] != nil, let json = answer.event else { return event }
        let signed = try EventVerifier.parse(json, version: event.version, in: event.roomID)
        guard signed.id == event.id, let verified = try await verifier.verified([signed]).events.first else {
            throw FederationFailure.malformed("the join came back as another event")
        }
        return verified
    }

    // MARK: Leaving and knocking

    /// Ends an invite or a knock of a user of this server. Where no server of the room answers, it ends here all the same.
    ///
    /// - Parameter invite: the member event that ends.
    package func leave(_ room: RoomID, by user: UserID, content: JSONObject, ending invite: Event, via servers: [ServerName]) async throws {
        do {
            try await ask(servers) { server in
                let template = try await client.template(.leave, of: user, in: room, at: server)
                let event = try self.event(from: template, .leave, content: content)
                try await client.sendLeave(event, to: server)
                try await rooms.noteOutside(event, strippedState: nil)
            }
        } catch let error as MatrixError {
            logger.info("nobody in a room takes a leave", metadata: ["room": "\(room)", "error": "\(error)"])
            try await rooms.noteOutside(localLeave(room, of: user, content: content, ending: invite), strippedState: nil)
        }
    }

    /// A leave that no other server hears of.
    private func localLeave(_ room: RoomID, of user: UserID, content: JSONObject, ending invite: Event) throws -> Event {
        var content = content
        content["membership"] = "leave"
        do {
            return try Event.build(
                EventDraft(type: StateKey.memberType, stateKey: user.text, content: content, sender: user), roomID: room,
                version: invite.version, prevEvents: invite.version.eventFormat == .explicitIDs ? [] : [invite.id], authEvents: [],
                depth: min(invite.depth, Event.depthLimit - 1) + 1, originServerTimestamp: .now, origin: environment.serverName,
                key: environment.signingKey)
        } catch {
            throw MatrixError(error)
        }
    }

    package func knock(_ room: RoomID, by user: UserID, content: JSONObject, via servers: [ServerName]) async throws {
        try await ask(servers) { server in
            let template = try await client.template(.knock, of: user, in: room, at: server)
            let event = try self.event(from: template, .knock, content: content)
            let state = try await client.sendKnock(event, to: server)
            try await rooms.noteOutside(event, strippedState: StrippedStates.accepted(state))
        }
    }

    // MARK: Steps

    private func event(from template: MembershipTemplate, _ kind: TemplateKind, content: JSONObject) throws -> Event {
        var pdu = template.event
        var own = content
        own["membership"] = .string(kind.rawValue)
        // Who may authorise a restricted join the other server knows.
        if kind == .join, case .object(let proposed)? = pdu["content"], let user = proposed["join_authorised_via_users_server"] {
            own["join_authorised_via_users_server"] = user
        }
        pdu["content"] = .object(own)
        do {
            return try Event.build(
                template: pdu, version: template.version, originServerTimestamp: .now, origin: environment.serverName,
                key: environment.signingKey)
        } catch {
            throw MatrixError(error)
        }
    }

    /// Asks one server after the other until one does it.
    private func ask<T>(_ servers: [ServerName], _ body: (ServerName) async throws -> T) async throws -> T {
        var failure: any Error = MatrixError.notFound("Can't join remote room because no servers that are in the room have been provided.")
        var asked: Set<ServerName> = [environment.serverName]
        for server in servers.filter({ asked.insert($0).inserted }).prefix(Self.serverLimit) {
            do {
                return try await body(server)
            } catch let error as FederationFailure {
                failure = error.asMatrixError
                logger.info("a server does not help into a room", metadata: ["server": "\(server)", "error": "\(error)"])
                if case .answered(let answer) = error, !answer.mayBeOtherElsewhere { break }
            } catch let error as HandoverCheck.Failure {
                failure = MatrixError.unknown("The other server's room makes no sense", status: 502)
                logger.warning("a server hands over a room that is none", metadata: ["server": "\(server)", "error": "\(error)"])
            }
        }
        throw failure
    }
}

extension MatrixError {
    /// Whether another server of the room may answer otherwise: that it is not allowed, all know.
    fileprivate var mayBeOtherElsewhere: Bool {
        status >= 500 || status == 404 || status == 429 || errcode == "M_UNABLE_TO_AUTHORISE_JOIN" || errcode == "M_UNABLE_TO_GRANT_JOIN"
            || errcode == "M_UNRECOGNIZED" || errcode == "M_UNAUTHORIZED"
    }
}
