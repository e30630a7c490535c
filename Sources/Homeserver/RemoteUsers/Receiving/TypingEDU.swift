// m.typing. Server-Server API §Typing Notifications.

import MatrixCore
import Rooms

/// A user of another server is typing, or no longer.
package struct TypingEDU: EDUHandler {
    package let types: [ByteString] = ["m.typing"]
    private let gate: RoomGate
    private let typing: TypingService

    /// How long somebody is typing who is not heard of again.
    private static let timeout = Duration.seconds(60)

    package init(gate: RoomGate, typing: TypingService) {
        self.gate = gate
        self.typing = typing
    }

    package func receive(_ content: JSON, from origin: ServerName) async throws {
        let user = try UserID(content["user_id"], of: origin)
        guard let room = content["room_id"]?.string.flatMap({ RoomID(valid: $0) }) else { throw MalformedEDU("room_id") }
        guard let isTyping = content["typing"]?.bool else { throw MalformedEDU("typing") }
        guard try await gate.room(room, for: origin) != nil else { return }
        if isTyping {
            try await typing.start(user, in: room, for: Self.timeout)
        } else {
            try await typing.stop(user, in: room)
        }
    }
}
