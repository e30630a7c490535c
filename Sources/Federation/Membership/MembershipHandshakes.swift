// How users of other servers come into rooms of this one, and out of them: the second half of each handshake.
// Server-Server API §Joining Rooms, §Leaving Rooms, §Knocking upon a room; Rooms §Restricted rooms.

import MatrixCore
import Persistence
import Rooms

/// Takes in the member events that other servers have made of this server's templates. This server tells the rest of the room of them.
package struct MembershipHandshakes: Sendable {
    private let served: ServedRooms
    private let verifier: EventVerifier
    private let intake: EventIntake
    private var environment: RoomEnvironment { served.rooms.environment }

    package init(served: ServedRooms, verifier: EventVerifier, intake: EventIntake) {
        self.served = served
        self.verifier = verifier
        self.intake = intake
    }

    /// What a request hands over: the event, and where it says it belongs.
    package struct Request: Sendable {
        package let room: RoomID
        /// As the path names it.
        package let event: String
        package let body: JSON
        package let origin: ServerName

        package init(room: RoomID, event: String, body: JSON, origin: ServerName) {
            self.room = room
            self.event = event
            self.body = body
            self.origin = origin
        }
    }

    /// `/send_join`.
    ///
    /// - Parameter omitsMembers: the other server can do without most of the members for now.
    /// - Returns: the body of the answer: the room's state before the join, and what it is authorized by.
    /// - Throws: `M_FORBIDDEN`, `M_BAD_JSON`, `M_INVALID_PARAM`, `M_NOT_FOUND`.
    package func join(_ request: Request, omitsMembers: Bool) async throws -> [UInt8] {
        let served = try await self.served.open(request.room, to: request.origin)
        var event = try memberEvent(request, .join, in: served)
        if let authoriser = event.content()["join_authorised_via_users_server"]?.string.flatMap({ UserID(valid: $0) }),
            environment.isLocal(authoriser)
        {
            do { event = try event.signed(as: environment.serverName, key: environment.signingKey) } catch { throw MatrixError(error) }
        }
        let join = try await take(event, in: served)
        return try await self.served.joinAnswer(for: join, in: served, omitsMembers: omitsMembers)
    }

    /// `/send_leave`.
    package func leave(_ request: Request) async throws {
        let served = try await self.served.open(request.room, to: request.origin)
        _ = try await take(memberEvent(request, .leave, in: served), in: served)
    }

    /// `/send_knock`.
    ///
    /// - Returns: what who knocks may know of the room: events.
    package func knock(_ request: Request) async throws -> [[UInt8]] {
        let served = try await self.served.open(request.room, to: request.origin)
        guard served.snapshot.version.knocking else { throw MatrixError.forbidden("This room version does not support knocking") }
        _ = try await take(memberEvent(request, .knock, in: served), in: served)
        return try await self.served.events.stateForOutsiders(of: served.room.current)
    }

    // MARK: Steps

    private func memberEvent(_ request: Request, _ membership: Membership, in served: ServedRoom) throws -> Event {
        guard served.snapshot.isJoined(by: environment.serverName) else { throw MatrixError.notFound("Not an active room on this server") }
        let event: Event
        do {
            event = try EventVerifier.parse(request.body, version: served.room.version, in: request.room)
        } catch {
            throw MatrixError.badJSON("Invalid event: \(error.reason)")
        }
        guard event.id.string == request.event else { throw MatrixError.invalidParam("The event is not \(request.event)") }
        guard event.type == StateKey.memberType, event.membership == membership else {
            throw MatrixError.badJSON("Not an m.room.member event with membership \(membership.rawValue)")
        }
        guard event.stateKey == event.sender.text else { throw MatrixError.badJSON("The event is about somebody else than its sender") }
        guard event.sender.server == request.origin else { throw MatrixError.forbidden("The sender is not a user of \(request.origin)") }
        return event
    }

    private func take(_ event: Event, in served: ServedRoom) async throws -> Event {
        let (verified, refusals) = try await verifier.verified([event])
        guard let verified = verified.first else {
            throw MatrixError.forbidden(refusals.first.map { "Invalid event: \($0.reason)" } ?? "Invalid event")
        }
        do {
            let receipt = try await intake.take(RemoteEvent(verified, path: .relayed), in: served.room, from: served.origin)
            if let refusal = receipt.refusal { throw MatrixError.forbidden(refusal) }
        } catch let error as MissingFoundation {
            throw MatrixError.forbidden(error.description)
        } catch let error as FederationFailure {
            throw MatrixError.forbidden("What the event stands on could not be fetched: \(error)")
        }
        return verified
    }
}
