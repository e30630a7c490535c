// Whether a user wants to be invited. Client-Server API §Invite permission.

import MatrixCore
import Persistence

/// A user's `m.invite_permission_config`.
package struct InvitePermission: Sendable, Equatable {
    package static let type: ByteString = "m.invite_permission_config"

    /// Every invite is refused, and those that are there already are not shown.
    package let blocksAll: Bool

    package static let open = InvitePermission(blocksAll: false)

    package init(blocksAll: Bool) {
        self.blocksAll = blocksAll
    }

    /// - Parameter content: of the account data; anything but `block` lets everyone invite.
    package init(content: JSON?) {
        blocksAll = content?["default_action"]?.isString("block") == true
    }

    /// Of stored account data. What cannot be read blocks nobody.
    package init(stored content: [UInt8]?) {
        guard let content, let document = try? JSONDocument(parsing: content) else {
            self = .open
            return
        }
        self.init(content: document.root)
    }
}

extension RoomEnvironment {
    /// - Throws: `M_FORBIDDEN` for the user as whom the server sends notices: only in the rooms that it makes does that user speak for it.
    package func checkIsNoNoticeSender(_ users: [UserID]) throws(MatrixError) {
        guard let noticeSender else { return }
        guard !users.contains(noticeSender) else { throw .forbidden("Cannot invite this user") }
    }

    /// Whether a room is one in which the server sends notices.
    package func isNoticeRoom(_ room: RoomSnapshot) -> Bool { noticeSender.map { room.membership(of: $0) == .join } ?? false }

    /// - Throws: `M_INVITE_BLOCKED` when one of the users, as far as they are of this server, wants no invites.
    package func checkMayBeInvited(_ users: [UserID]) async throws {
        let users = users.filter(isLocal)
        guard !users.isEmpty else { return }
        let isBlocked = try await database.read { connection in
            try users.contains { user in
                InvitePermission(stored: try AccountDataStore.content(InvitePermission.type, room: nil, of: user, on: connection)).blocksAll
            }
        }
        if isBlocked { throw MatrixError.inviteBlocked }
    }
}
