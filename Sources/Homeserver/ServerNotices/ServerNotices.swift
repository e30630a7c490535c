// What the server tells its users without being asked, when they come by. Client-Server API §Server Notices.

import Logging
import MatrixCore
import Persistence
import Rooms

/// Sends notices of terms and of limits to those who sync.
package struct ServerNotices: Sendable {
    package let rooms: NoticeRooms
    private let consent: ConsentNotices?
    private let usage: UsageLimitNotices?
    private let logger: Logger
    /// Several clients of a user come at once.
    private let queue = KeyedQueue<UserID>()

    package init(rooms: NoticeRooms, consent: ConsentNotices?, usage: UsageLimitNotices?, logger: Logger) {
        self.rooms = rooms
        self.consent = consent
        self.usage = usage
        self.logger = logger
    }

    /// Tells somebody who begins to sync what there is to tell, so that it is part of that sync. What cannot be sent does not keep them from
    /// it, and is sent the next time.
    package func willSync(_ requester: Requester) async {
        guard isWaiting(for: requester) else { return }
        do {
            try await queue.run(requester.user) {
                if let consent, consent.concerns(requester) { try await consent.tell(requester.user) }
                if let usage, usage.concerns(requester.user) { try await usage.update(requester.user) }
            }
        } catch {
            if !Task.isCancelled {
                logger.error("a notice was not sent", metadata: ["user": "\(requester.user)", "error": "\(error)"])
            }
        }
    }

    private func isWaiting(for requester: Requester) -> Bool {
        consent?.concerns(requester) == true || usage?.concerns(requester.user) == true
    }
}
