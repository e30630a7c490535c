// The list of what a user was notified of. Client-Server API §Listing notifications, GET /_matrix/client/v3/notifications.

import HeapModule
import MatrixCore
import Persistence
import Rooms

/// Walks back through a user's rooms, newest event first, and tries the user's push rules on what is there. Nothing is stored for it.
package final class NotificationService: Sendable {
    private let database: any Database
    private let rooms: RoomRegistry
    private let events: EventReader
    private let pushRules: PushRuleService
    private let unread: UnreadService
    private let accountData: AccountDataService

    /// The most notifications of one page.
    package static let pageLimit = 500
    /// At most as many events are looked at for one page.
    private static let scanLimit = 5000
    /// As many events of a room are read at once.
    private static let chunkSize = 50

    package init(
        database: any Database, rooms: RoomRegistry, events: EventReader, pushRules: PushRuleService, unread: UnreadService,
        accountData: AccountDataService
    ) {
        self.database = database
        self.rooms = rooms
        self.events = events
        self.pushRules = pushRules
        self.unread = unread
        self.accountData = accountData
    }

    /// An event that a user was notified of.
    package struct Notification: Sendable {
        package let event: TimelineEvent
        package let actions: [JSONValue]
        package let isRead: Bool
    }

    package struct Page: Sendable {
        /// The newest first.
        package var notifications: [Notification] = []
        /// Where the next page begins; nil when this is the last one.
        package var next: StreamPosition?
    }

    /// A page of notifications.
    ///
    /// - Parameters:
    ///   - before: only events before this position.
    ///   - limit: from 1 to `pageLimit`.
    package func page(of user: UserID, before: StreamPosition?, limit: Int, onlyHighlights: Bool) async throws -> Page {
        var walk = Walk(user: user, rules: try await pushRules.ruleset(of: user))
        walk.ignoredUsers = try await accountData.ignoredUsers(of: user)
        try await begin(&walk, before: before)
        var found: [(event: TimelineEvent, outcome: PushOutcome)] = []
        var page = Page()
        var count = 0
        while let event = try await next(&walk) {
            if found.count >= limit || count >= NotificationService.scanLimit {
                page.next = event.position.next
                break
            }
            count += 1
            guard let outcome = try await outcome(of: event, &walk), outcome.notifies, outcome.highlights || !onlyHighlights else {
                continue
            }
            found.append((event, outcome))
        }
        page.notifications = try await notifications(found, walk)
        return page
    }

    private func notifications(_ found: [(event: TimelineEvent, outcome: PushOutcome)], _ walk: Walk) async throws -> [Notification] {
        let wanted = Set(found.map(\.event.roomNID))
        let questions = walk.rooms.values.filter { wanted.contains($0.nid) && $0.membership == .join }
            .map { UnreadService.Question(FeedRoom($0.row), newest: $0.newest) }
        let end = questions.map(\.newest).max() ?? .zero
        _ = try await unread.counts(questions, of: walk.user, ignoring: walk.ignoredUsers, upTo: end, since: nil)
        return found.map { event, outcome in
            let isJoined = walk.rooms[event.roomNID]?.membership == .join
            return Notification(event: event, actions: outcome.actions, isRead: isJoined && !unread.isUnread(event, for: walk.user))
        }
    }

    // MARK: The walk

    /// A room that is walked through.
    private struct Room {
        let row: MembershipRow
        /// The position of the room's newest event.
        let newest: StreamPosition
        /// Events that were read and not looked at, newest last.
        var events: [TimelineEvent] = []
        /// Everything before this is still to be read.
        var end: StreamPosition
        var nid: RoomNID { row.roomNID }
        var membership: Membership { row.membership }
        var evaluation: UnreadEvaluation?
        /// As far as `events` ask for it; nil until one does.
        var followed: FollowedThreads?
    }

    private struct Walk {
        let user: UserID
        let rules: PushRuleset
        var ignoredUsers: Set<UserID> = []
        var rooms: [RoomNID: Room] = [:]
        var heads = Heap<Head>()

        init(user: UserID, rules: PushRuleset) {
            self.user = user
            self.rules = rules
        }
    }

    /// Where the next event of a room stands, or a later place.
    private struct Head: Comparable {
        let position: StreamPosition
        let room: RoomNID

        static func < (a: Head, b: Head) -> Bool { a.position < b.position }
    }

    private func begin(_ walk: inout Walk, before: StreamPosition?) async throws {
        let user = walk.user
        let (rows, newest) = try await database.read { connection in
            let rows = try MembershipStore.rooms(of: user, on: connection).filter { $0.membership == .join || $0.membership == .invite }
            let joined = rows.filter { $0.membership == .join }.map(\.roomNID)
            return (rows, try SyncStore.newestPositions(of: joined, on: connection))
        }
        for row in rows {
            let last = row.membership == .join ? newest[row.roomNID] ?? row.position : row.position
            let end = before.map { min($0, last.next) } ?? last.next
            walk.rooms[row.roomNID] = Room(row: row, newest: last, end: end)
            walk.heads.insert(Head(position: StreamPosition(end.value - 1), room: row.roomNID))
        }
    }

    /// The newest event that was not looked at. Only the rooms are read that reach as far.
    private func next(_ walk: inout Walk) async throws -> TimelineEvent? {
        while let head = walk.heads.popMax(), var room = walk.rooms[head.room] {
            if room.events.isEmpty {
                room.events = try await chunk(of: room).reversed()
                room.followed = nil
                guard let oldest = room.events.first else {
                    walk.rooms[head.room] = room
                    continue
                }
                room.end = oldest.position
            }
            guard let event = room.events.last else { continue }
            // Others may stand between the place that was assumed and the event.
            if event.position < head.position, let other = walk.heads.max, other.position > event.position {
                walk.rooms[head.room] = room
                walk.heads.insert(Head(position: event.position, room: head.room))
                continue
            }
            room.events.removeLast()
            let before = room.events.last?.position ?? StreamPosition(room.end.value - 1)
            if before > .zero, !isArrival(event, walk.user) { walk.heads.insert(Head(position: before, room: head.room)) }
            walk.rooms[head.room] = room
            return event
        }
        return nil
    }

    /// What came before the user did, they were not notified of.
    private func isArrival(_ event: TimelineEvent, _ user: UserID) -> Bool {
        event.stateKey == user.text && event.membership != nil && event.membership != event.previousMembership
            && event.membership != .invite
    }

    /// The events before `end`, newest first. Of a room that the user is invited to, that is the invite.
    private func chunk(of room: Room) async throws -> [TimelineEvent] {
        guard room.membership == .join else {
            guard room.end > room.row.position else { return [] }
            return try await events.events([room.row.event])
        }
        return try await events.timelineBackwards(
            room.nid, after: .zero, upTo: StreamPosition(room.end.value - 1), limit: NotificationService.chunkSize)
    }

    /// What the user's rules say about an event; nil where they are not asked.
    private func outcome(of event: TimelineEvent, _ walk: inout Walk) async throws -> PushOutcome? {
        guard event.sender != walk.user, event.redaction == nil, !walk.ignoredUsers.contains(event.sender),
            var room = walk.rooms[event.roomNID]
        else { return nil }
        let evaluation = try await evaluation(in: room, at: event.roomID, walk)
        let followed: FollowedThreads
        if let known = room.followed {
            followed = known
        } else {
            followed = try await evaluation.followedThreads(in: room.events + [event])
        }
        room.evaluation = evaluation
        room.followed = followed
        walk.rooms[event.roomNID] = room
        return evaluation.outcome(of: event, followed)
    }

    private func evaluation(in room: Room, at id: RoomID, _ walk: Walk) async throws -> UnreadEvaluation {
        if let known = room.evaluation { return known }
        return try await UnreadEvaluation(
            user: walk.user, rules: walk.rules, ignoredUsers: walk.ignoredUsers, room: try await rooms.existing(id).current,
            database: database, events: events, parsed: unread.parsed)
    }
}
