// What takes another server to do for a membership. Server-Server API §Joining Rooms, §Leaving Rooms, §Knocking upon a room, §Inviting to
// a room.

import MatrixCore

/// Changes memberships by way of other servers.
package protocol RemoteRooms: Sendable {
    /// Makes a user of this server a member of a room that this server is not in, or whose rules none of its users can satisfy.
    ///
    /// - Parameters:
    ///   - content: what the member event says besides the membership.
    ///   - servers: that may be in the room, the likeliest first.
    func join(_ room: RoomID, by user: UserID, content: JSONObject, via servers: [ServerName]) async throws

    /// Whether guests may join a room that this server is not in.
    ///
    /// - Throws: where no server of the room says so.
    func letsGuestsIn(_ room: RoomID, via servers: [ServerName]) async throws -> Bool

    /// Ends an invite or a knock in a room that this server is not in.
    ///
    /// - Parameter ended: the member event that ends.
    func leave(_ room: RoomID, by user: UserID, content: JSONObject, ending ended: Event, via servers: [ServerName]) async throws

    func knock(_ room: RoomID, by user: UserID, content: JSONObject, via servers: [ServerName]) async throws

    /// Invites a user of another server into a room of this one.
    func invite(_ draft: EventDraft, of user: UserID, to room: Room) async throws -> EventID

    /// Has a server of the room make an invite of a third-party invite. Server-Server API §Third-party invites.
    func exchange(_ invite: JSONObject, in room: RoomID, at server: ServerName) async throws
}
