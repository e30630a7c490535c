// What the operator allows of names of rooms and of the room directory.

import MatrixCore

package struct DirectoryPolicy: Sendable {
    /// `require_membership_for_aliases`: only members give a room aliases.
    package var requiresMembership = true
    /// `alias_creation_rules`: who may give which aliases.
    package var aliasCreationRules = [DirectoryRule(isAllowing: true)]
    /// `room_list_publication_rules`: who may publish which rooms. As in Synapse, nobody where nothing is said.
    package var publicationRules: [DirectoryRule] = []
    /// `enable_room_list_search`: there is a room directory at all.
    package var isListEnabled = true

    package init() {}

    /// - Parameter room: nil for a room that is being made.
    /// - Throws: `M_FORBIDDEN`.
    func checkMayCreate(_ alias: RoomAlias, for room: RoomID?, by user: UserID) throws(MatrixError) {
        guard aliasCreationRules.allow(user, room: room, aliases: [alias]) else { throw .forbidden("Not allowed to create alias") }
    }

    /// - Parameters:
    ///   - room: nil for a room that is being made.
    ///   - aliases: its aliases of this server.
    /// - Throws: `M_FORBIDDEN`.
    package func checkMayPublish(_ room: RoomID?, aliases: [RoomAlias], by user: UserID) throws(MatrixError) {
        guard isListEnabled else { throw .forbidden("This user is not permitted to publish rooms to the room list") }
        guard publicationRules.allow(user, room: room, aliases: aliases) else { throw .forbidden("Not allowed to publish room") }
    }
}
