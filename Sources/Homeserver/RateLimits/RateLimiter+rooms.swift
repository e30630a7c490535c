// The limits of what is done in and around rooms.

import MatrixCore

extension RateLimiter {
    /// An event counts as a message; a redaction of somebody else's event counts apart where `rc_admin_redaction` says so.
    package func check(_ deed: AccountDeed, by user: UserID) throws(MatrixError) {
        try check(deed == .redact(own: false) && hasRedactionLimit ? .adminRedaction : .message, of: user.text)
    }

    /// A room counts as a room and as a message; nothing is counted of what is refused.
    package func checkRoomCreation(by user: UserID) throws(MatrixError) {
        try check(.roomCreation, of: user.text, isCounted: false)
        try check(.message, of: user.text)
        try check(.roomCreation, of: user.text)
    }

    /// Whether one user may invite so many at once.
    ///
    /// - Throws: `M_UNKNOWN` (400), as Synapse: no time would help.
    package func checkInvitesOfNewRoom(_ count: Int, by user: UserID) throws(MatrixError) {
        do {
            try check(.invitesPerRoom, of: user.text, cost: count, isCounted: false)
        } catch {
            throw .unknown("Cannot invite so many users at once", status: 400)
        }
    }

    package func checkInvite(of target: UserID, to room: RoomID, by user: UserID) throws(MatrixError) {
        try check(.invitesPerRoom, of: room.text, by: user)
        try check(.invitesPerUser, of: target.text, by: user)
        try check(.invitesPerIssuer, of: user.text)
    }

    /// - Parameter isRemote: another server is asked for the room.
    package func checkJoin(of room: RoomID, by user: UserID, isRemote: Bool) throws(MatrixError) {
        try check(isRemote ? .joinsRemote : .joinsLocal, of: user.text)
        try check(.joinsPerRoom, of: room.text, by: user)
    }
}
