// Tells those who are here that there is no place for others: a notice of type `m.server_notice.usage_limit_reached`, which stays pinned for
// as long as that is so. Client-Server API §Server Notices; Synapse's `mau_limit_alerting`.

import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import Synchronization

package final class UsageLimitNotices: Sendable {
    private let usage: UsageLimits
    private let rooms: NoticeRooms
    private let tellsOfLimit: Bool
    /// Whether the room of a user who was seen lately says that the limit is reached.
    private let told = Mutex(RecentCache<UserID, Bool>(capacity: 20_000))

    /// - Returns: nil where the number of people is not limited, or nobody may use the server at all.
    package init?(_ options: UsageOptions, usage: UsageLimits, rooms: NoticeRooms) {
        guard options.limitsMonthlyUsers, !options.isServerDisabled else { return nil }
        self.usage = usage
        self.rooms = rooms
        tellsOfLimit = options.tellsOfLimit
    }

    /// Whether a user's room may have to be changed. It costs no look into the database.
    func concerns(_ user: UserID) -> Bool {
        // Who has no place cannot read it.
        usage.counts(user) && told.withLock({ $0.value(for: user) }) != isReached
    }

    /// Has a user's room say whether the limit is reached.
    func update(_ user: UserID) async throws {
        let isReached = isReached
        let (notices, others) = try await pinned(of: user)
        if isReached, notices.isEmpty {
            let notice = try await rooms.send(content, to: user)
            try await pin(others + [notice.string], for: user)
        } else if !isReached, !notices.isEmpty {
            try await pin(others, for: user)
        }
        told.withLock { $0.insert(isReached, for: user) }
    }

    // MARK: Steps

    private var isReached: Bool { tellsOfLimit && usage.isFull }

    private var content: JSONObject {
        let refusal = usage.full
        var content = refusal.extra
        content["msgtype"] = "m.server_notice"
        content["server_notice_type"] = "m.server_notice.usage_limit_reached"
        content["body"] = .string(refusal.message)
        return content
    }

    /// What is pinned in a user's room: notices of the server, and other events.
    private func pinned(of user: UserID) async throws -> (notices: [String], others: [String]) {
        guard let room = try await rooms.room(of: user), let content = try await rooms.content(of: .pinnedEvents, in: room) else {
            return ([], [])
        }
        var (notices, others): ([String], [String]) = ([], [])
        for id in content["pinned"]?.elements.compactMap(\.string) ?? [] {
            if try await rooms.isNotice(id, in: room) { notices.append(id) } else { others.append(id) }
        }
        return (notices, others)
    }

    private func pin(_ events: [String], for user: UserID) async throws {
        let content: JSONObject = ["pinned": .array(events.map { .string($0) })]
        try await rooms.send(content, type: StateKey.pinnedEvents.type, stateKey: StateKey.pinnedEvents.stateKey, to: user)
    }
}
