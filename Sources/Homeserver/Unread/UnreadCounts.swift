// How much is unread. Client-Server API §Receiving notifications.

import MatrixCore

/// Events that were notified about and not read.
package struct UnreadCounts: Sendable, Hashable {
    package var notifications = 0
    /// Those among them that the push rules highlight.
    package var highlights = 0

    package init(notifications: Int = 0, highlights: Int = 0) {
        self.notifications = notifications
        self.highlights = highlights
    }

    package static let zero = UnreadCounts()

    package static func + (a: UnreadCounts, b: UnreadCounts) -> UnreadCounts {
        UnreadCounts(notifications: a.notifications + b.notifications, highlights: a.highlights + b.highlights)
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("notification_count", notifications)
            writer.member("highlight_count", highlights)
        }
    }
}

/// What is unread in one room, thread by thread.
package struct RoomUnread: Sendable, Hashable {
    /// Of the events that are in no thread.
    package var main = UnreadCounts.zero
    /// By thread root; threads without anything unread are left out.
    package var threads: [ByteString: UnreadCounts] = [:]
    /// Whether the counts have changed since the position that was asked for.
    package var isNews = false

    package init() {}

    /// Of all threads together, which is what a client gets that does not tell threads apart.
    package var total: UnreadCounts { threads.values.reduce(main, +) }
}
