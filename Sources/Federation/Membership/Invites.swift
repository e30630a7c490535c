// Invites between servers. Server-Server API §Inviting to a room.

import Logging
import MatrixCore
import Persistence
import Rooms

/// Signs invites of this server's users by others, and has invites of others' users by ours signed.
package struct Invites: Sendable {
    private let client: FederationClient
    private let verifier: EventVerifier
    private let intake: EventIntake
    private let rooms: RoomRegistry
    private let events: EventReader
    private let blocksNonAdminInvites: Bool
    private let logger: Logger
    private var environment: RoomEnvironment { rooms.environment }

    /// - Parameter blocksNonAdminInvites: only administrators of this server invite (`block_non_admin_invites`).
    package init(
        client: FederationClient, verifier: EventVerifier, intake: EventIntake, rooms: RoomRegistry, events: EventReader,
        blocksNonAdminInvites: Bool, logger: Logger
    ) {
        self.logger = logger
        self.client = client
        self.verifier = verifier
        self.intake = intake
        self.rooms = rooms
        self.events = events
        self.blocksNonAdminInvites = blocksNonAdminInvites
    }

    // MARK: Out

    /// Invites a user of another server: their server signs the invite, then the room has it.
    ///
    /// - Throws: `M_FORBIDDEN` by the room's rules or by the other server, `M_UNKNOWN` where it does not answer.
    package func invite(_ draft: EventDraft, of user: UserID, to room: Room) async throws -> EventID {
        let event = try await room.recommended(room.propose(draft))
        let state = try await events.stateForOutsiders(of: room.current, invitedBy: event.sender)
        let answer: JSON
        do {
            answer = try await client.sendInvite(event, state: state, to: user.server)
        } catch {
            throw error.asMatrixError
        }
        let signed: Event
        do {
            signed = try EventVerifier.parse(answer, version: event.version, in: event.roomID)
        } catch {
            throw MatrixError.badJSON("The other server's invite makes no sense: \(error.reason)")
        }
        // The same id means that nothing but signatures was added.
        guard signed.id == event.id, let verified = try await verifier.verified([signed]).events.first else {
            throw MatrixError.unknown("The other server has signed another invite", status: 502)
        }
        let receipt = try await room.receive(RemoteEvent(verified))
        if let refusal = receipt.refusal { throw MatrixError.forbidden(refusal) }
        return event.id
    }

    /// Has another server make the invite to which a third-party invite entitles a user of this one.
    package func exchange(_ invite: JSONObject, in room: RoomID, at server: ServerName) async throws {
        do {
            _ = try await client.send(
                .federation("PUT", to: server, path: ["exchange_third_party_invite", room.string], content: invite.canonicalBytes))
        } catch {
            throw error.asMatrixError
        }
    }

    // MARK: In

    /// Takes in an invite of a user of this server.
    ///
    /// - Parameters:
    ///   - json: the event.
    ///   - strippedState: what the inviting server tells of the room.
    /// - Returns: the event with this server's signature.
    /// - Throws: `M_FORBIDDEN`, `M_BAD_JSON`, `M_INVITE_BLOCKED`.
    package func accept(
        _ json: JSON, id: String, room roomID: RoomID, version: RoomVersion, strippedState: JSON?, from origin: ServerName
    ) async throws -> [UInt8] {
        let event = try invite(json, id: id, room: roomID, version: version, from: origin)
        let target = UserID(trusted: event.stateKey?.string ?? "")
        guard !blocksNonAdminInvites else { throw MatrixError.forbidden("This server does not accept room invites") }
        try environment.checkIsNoNoticeSender([target])
        try await environment.checkMayBeInvited([target])
        let room = try await rooms.room(roomID)
        if let room, !room.current.allows(origin) { throw MatrixError.forbidden("Server is banned from room") }
        guard let verified = try await verifier.verified([event]).events.first else {
            throw MatrixError.forbidden("The invite is not signed as it must be")
        }
        let signed: Event
        do { signed = try verified.signed(as: environment.serverName, key: environment.signingKey) } catch { throw MatrixError(error) }
        if let room, room.current.isJoined(by: environment.serverName) {
            await takeIntoRoom(signed, room, from: origin)
        } else {
            try await rooms.noteOutside(signed, strippedState: StrippedStates.accepted(strippedState))
        }
        return signed.json
    }

    private func invite(_ json: JSON, id: String, room: RoomID, version: RoomVersion, from origin: ServerName) throws -> Event {
        let event: Event
        do {
            event = try EventVerifier.parse(json, version: version, in: room)
        } catch {
            throw MatrixError.badJSON("Invalid event: \(error.reason)")
        }
        guard event.id.string == id else { throw MatrixError.invalidParam("The event is not \(id)") }
        guard event.type == StateKey.memberType, event.membership == .invite, let target = event.stateKey else {
            throw MatrixError.badJSON("The event was not an m.room.member invite event")
        }
        guard event.sender.server == origin else { throw MatrixError.forbidden("The invite event was not from the server sending it") }
        guard let user = UserID(valid: target.string), environment.isLocal(user) else {
            throw MatrixError.badJSON("The invite event must be for this server")
        }
        return event
    }

    /// The inviting server will send the invite to all who are in the room. That it is here now is a courtesy: whether the room's rules
    /// allow it is found out in any case.
    private func takeIntoRoom(_ event: Event, _ room: Room, from origin: ServerName) async {
        do {
            _ = try await intake.take(RemoteEvent(event), in: room, from: origin)
        } catch {
            logger.info("an invite is not let in yet", metadata: ["event": "\(event.id)", "room": "\(room.id)", "error": "\(error)"])
        }
    }
}
