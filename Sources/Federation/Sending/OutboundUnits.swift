// What goes into a transaction, as it waits for it. Server-Server API §PDUs, §EDUs.

import MatrixCore
import Persistence

/// An event on its way to other servers. Its bytes are shared by all destinations.
package struct OutboundPDU: Sendable, Hashable {
    package let position: StreamPosition
    /// The PDU as it is stored: canonical, without `unsigned`.
    package let json: [UInt8]

    package init(position: StreamPosition, json: [UInt8]) {
        self.position = position
        self.json = json
    }
}

/// Something short-lived, or told once, on its way to other servers: the whole EDU as canonical JSON.
package struct OutboundEDU: Sendable, Hashable {
    package let json: [UInt8]

    package init(json: [UInt8]) {
        self.json = json
    }

    /// - Parameter content: writes the members of `content`, in the order of their keys.
    package init(type: String, content: (inout JSONWriter) -> Void) {
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.member("content", object: content)
            writer.member("edu_type", type)
        }
        json = writer.bytes
    }
}

/// A change of a user's devices or cross-signing keys: one EDU, or one under each of two names.
package struct OutboundDeviceUpdate: Sendable, Hashable {
    package let position: StreamPosition
    package let edus: [OutboundEDU]

    package init(position: StreamPosition, edus: [OutboundEDU]) {
        self.position = position
        self.edus = edus
    }
}

/// A message to devices of another server, which stays stored until the server has taken it.
package struct OutboundDeviceMessage: Sendable, Hashable {
    package let position: StreamPosition
    package let edu: OutboundEDU

    package init(position: StreamPosition, edu: OutboundEDU) {
        self.position = position
        self.edu = edu
    }
}

/// Whether a user of this server is typing in a room.
package struct OutboundTyping: Sendable, Hashable {
    package let room: RoomID
    package let user: UserID
    package let isTyping: Bool

    package init(room: RoomID, user: UserID, isTyping: Bool) {
        self.room = room
        self.user = user
        self.isTyping = isTyping
    }

    package var edu: OutboundEDU {
        OutboundEDU(type: "m.typing") { content in
            content.member("room_id", room)
            content.member("typing", isTyping)
            content.member("user_id", user)
        }
    }
}

/// How a user of this server is there.
package struct OutboundPresence: Sendable, Hashable {
    package let user: UserID
    package let presence: String
    /// nil: nothing is known.
    package let lastActive: Timestamp?
    package let statusMessage: String?
    /// nil where it is not said, as of users who are not online.
    package let isCurrentlyActive: Bool?

    package init(user: UserID, presence: String, lastActive: Timestamp?, statusMessage: String?, isCurrentlyActive: Bool?) {
        self.user = user
        self.presence = presence
        self.lastActive = lastActive
        self.statusMessage = statusMessage
        self.isCurrentlyActive = isCurrentlyActive
    }

    /// One EDU for several users.
    package static func edu(_ presences: [OutboundPresence], at now: Timestamp) -> OutboundEDU {
        OutboundEDU(type: "m.presence") { content in
            content.key("push")
            content.array { list in for presence in presences { presence.write(to: &list, at: now) } }
        }
    }

    private func write(to writer: inout JSONWriter, at now: Timestamp) {
        writer.object { writer in
            if let isCurrentlyActive { writer.member("currently_active", isCurrentlyActive) }
            if let lastActive { writer.member("last_active_ago", max(0, now.milliseconds(since: lastActive))) }
            writer.member("presence", presence)
            if let statusMessage { writer.member("status_msg", statusMessage) }
            writer.member("user_id", user)
        }
    }
}

/// Up to where a user of this server has read a room or a thread in it, for everyone to see (`m.read`).
package struct OutboundReceipt: Sendable, Hashable {
    package let room: RoomID
    package let user: UserID
    /// The thread's root, `main`, or empty for the unthreaded receipt.
    package let thread: ByteString
    package let event: EventID
    package let time: Timestamp

    package init(room: RoomID, user: UserID, thread: ByteString, event: EventID, time: Timestamp) {
        self.room = room
        self.user = user
        self.thread = thread
        self.event = event
        self.time = time
    }
}
