// What the users of this server do at the moment, as other servers are told of it. Server-Server API §Typing Notifications, §Presence,
// §Receipts.

import Federation
import MatrixCore
import Persistence

/// Asks the services for the federation sender, which knows none of them.
package struct LocalActivity: OutboundEDUSource {
    private let serverName: ServerName
    private let typing: TypingService
    private let receipts: ReceiptService
    private let presence: PresenceService

    package init(serverName: ServerName, typing: TypingService, receipts: ReceiptService, presence: PresenceService) {
        self.serverName = serverName
        self.typing = typing
        self.receipts = receipts
        self.presence = presence
    }

    package func typingUsers(in room: RoomID) -> [UserID] {
        typing.state(in: room).users.filter { $0.belongs(to: serverName) }
    }

    package func receipts(after: StreamPosition, upTo: StreamPosition) -> [OutboundReceipt] {
        receipts.recent(after: after, upTo: upTo).compactMap { entry in
            guard entry.key.type == ReceiptType.read.name, entry.key.user.belongs(to: serverName) else { return nil }
            return OutboundReceipt(
                room: entry.room, user: entry.key.user, thread: entry.key.thread, event: entry.mark.event, time: entry.mark.time)
        }
    }

    /// Where this server does not find presence out by itself, it has none to tell.
    package func presences(of users: [UserID]) async throws -> [OutboundPresence] {
        guard presence.mode == .enabled, !users.isEmpty else { return [] }
        return try await presence.presences(of: users).map { OutboundPresence($0.user, $0.presence) }
    }

    package var roomsWithoutPresence: Set<RoomID> { presence.excludedRooms }
}

extension OutboundPresence {
    fileprivate init(_ user: UserID, _ presence: UserPresence) {
        self.init(
            user: user, presence: presence.state.rawValue,
            lastActive: presence.lastActive.milliseconds > 0 ? presence.lastActive : nil,
            statusMessage: presence.statusMessage.flatMap { $0.isEmpty ? nil : $0 },
            isCurrentlyActive: presence.state == .online ? presence.isCurrentlyActive : nil)
    }
}
