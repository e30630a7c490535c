// What identity servers, and the servers of invited users, tell this one. Server-Server API §Third-party invites.

import Homeserver
import MatrixCore

enum ThirdPartyInviteRoutes {
    /// Identity servers of today's software send it by POST, the specification says PUT.
    static let table: [Route] = [
        Route(.put, "/_matrix/federation/v1/3pid/onbind", access: .open, onBind),
        Route(.post, "/_matrix/federation/v1/3pid/onbind", access: .open, onBind),
        .federation(.put, "/exchange_third_party_invite/{roomId}", exchange),
    ]

    /// The server of the user to whom an address belongs has what the identity server signed: this one makes the invite of it.
    private static func exchange(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let target: UserID = try body.requiredIdentifier("state_key")
        guard target.belongs(to: try context.origin) else { throw MatrixError.forbidden("User not from origin") }
        guard let signed = try body.requiredObject("content").requiredObject("third_party_invite").optionalObject("signed") else {
            throw MatrixError.badJSON("third_party_invite needs signed")
        }
        try await context.homeserver.memberships.accept(
            signed, by: try body.requiredIdentifier("sender"), of: target, in: try context.roomID("roomId"))
        return .empty
    }

    /// How many invites one address has at most.
    private static let inviteLimit = 100

    /// An address now belongs to a user: the invites that waited for that become the user's. Nobody has to be believed: each is signed.
    private static func onBind(_ context: APIContext) async throws -> APIResponse {
        let invites = try context.body().optionalArray("invites").map { Array($0.elements.prefix(inviteLimit)) } ?? []
        var failure: (any Error)?
        for invite in invites {
            do {
                guard let signed = try invite.optionalObject("signed"), signed["token"] != nil else { continue }
                try await context.homeserver.memberships.accept(
                    signed, by: try invite.requiredIdentifier("sender"), of: try invite.requiredIdentifier("mxid"),
                    in: try invite.requiredIdentifier("room_id"))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return .empty
    }
}
