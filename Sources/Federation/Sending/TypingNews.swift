// What other servers know of who is typing. Server-Server API §Typing Notifications.

import MatrixCore

/// Works out from who is typing what is news, and who has to be told of again: other servers forget somebody after a minute. A value; the
/// times are milliseconds on the caller's clock.
package struct TypingNews: Sendable {
    /// When somebody who goes on typing is told of again.
    private var told: [RoomID: [UserID: Int64]] = [:]

    /// As in Synapse.
    private static let repetition: Int64 = 40_000

    package init() {}

    package var isEmpty: Bool { told.isEmpty }

    /// - Parameter users: the users of this server who are typing in the room now.
    package mutating func update(_ room: RoomID, _ users: [UserID], at now: Int64) -> [OutboundTyping] {
        let before = told[room] ?? [:]
        var news: [OutboundTyping] = []
        var after: [UserID: Int64] = [:]
        for user in users {
            if let again = before[user] {
                after[user] = again
            } else {
                after[user] = now + Self.repetition
                news.append(OutboundTyping(room: room, user: user, isTyping: true))
            }
        }
        for user in before.keys.sorted() where after[user] == nil { news.append(OutboundTyping(room: room, user: user, isTyping: false)) }
        told[room] = after.isEmpty ? nil : after
        return news
    }

    /// Who has to be told of again.
    package mutating func takeDue(at now: Int64) -> [OutboundTyping] {
        var due: [OutboundTyping] = []
        for (room, users) in told {
            for (user, again) in users where again <= now {
                told[room]?[user] = now + Self.repetition
                due.append(OutboundTyping(room: room, user: user, isTyping: true))
            }
        }
        return due
    }
}
