// `server_notices`: as whom, and in what kind of room, the server speaks to its users.

import MatrixCore

/// How users see what the server tells them. Addresses of pictures are `mxc://…`.
package struct ServerNoticeOptions: Sendable, Equatable {
    /// `system_mxid_localpart`: of the user as whom the server sends notices. Nobody can have that account.
    package var senderLocalpart: String
    /// `system_mxid_display_name` and `system_mxid_avatar_url`.
    package var senderName: String?
    package var senderAvatarURL: String?
    package var roomName: String? = "Server Notices"
    package var roomAvatarURL: String?
    package var roomTopic: String?
    /// `auto_join`: users are put into the room, and not only invited.
    package var joinsUsers = false

    package init(senderLocalpart: String) {
        self.senderLocalpart = senderLocalpart
    }
}

extension ServerConfiguration {
    /// The user as whom the server sends notices; nil: it sends none.
    package var noticeSender: UserID? {
        serverNotices.map { UserID(localpart: ByteString($0.senderLocalpart), server: serverName) }
    }
}
