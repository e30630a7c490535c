// m.presence. Server-Server API §Presence.

import MatrixCore
import Persistence

/// Whether users of another server are there.
package struct PresenceEDU: EDUHandler {
    package let types: [ByteString] = ["m.presence"]
    private let presence: PresenceService
    private let sharedRooms: SharedRooms

    /// Of one EDU so many users are taken in.
    private static let pushLimit = 1000

    package init(presence: PresenceService, sharedRooms: SharedRooms) {
        self.presence = presence
        self.sharedRooms = sharedRooms
    }

    package func receive(_ content: JSON, from origin: ServerName) async throws {
        guard presence.mode == .enabled else { return }
        guard let pushes = content["push"], pushes.isArray else { throw MalformedEDU("push") }
        guard pushes.count <= Self.pushLimit else { throw MalformedEDU("more than \(Self.pushLimit) users") }
        let told = pushes.elements.compactMap { RemotePresence($0, from: origin) }
        let known = try await sharedRooms.known(told.map(\.user))
        await presence.hear(told.filter { known.contains($0.user) })
    }
}

/// What a server tells of one of its users.
package struct RemotePresence: Sendable, Hashable {
    package let user: UserID
    package let state: PresenceState
    /// Milliseconds; nil: nothing is said.
    package let lastActiveAgo: Int64?
    package let statusMessage: String?
    package let isCurrentlyActive: Bool

    /// - Returns: nil for what says nothing, or about another server's user.
    package init?(_ push: JSON, from origin: ServerName) {
        guard let user = push["user_id"]?.string.flatMap({ UserID(valid: $0) }), user.belongs(to: origin),
            let state = push["presence"]?.string.flatMap({ PresenceState(rawValue: $0) })
        else { return nil }
        self.user = user
        self.state = state
        lastActiveAgo = push["last_active_ago"]?.int.map { max(0, $0) }
        statusMessage = push["status_msg"]?.string.flatMap {
            $0.utf8.count <= PresenceService.statusMessageLimit ? storable($0) : nil
        }
        isCurrentlyActive = state == .online && push["currently_active"]?.bool == true
    }
}
