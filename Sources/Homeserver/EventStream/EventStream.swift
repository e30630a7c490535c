// The event stream of the first version of the API. Client-Server API §Listening on the events stream (deprecated), and room previews.

import MatrixCore
import Persistence
import Rooms

/// What `GET /events` asks for.
package struct EventStreamRequest: Sendable {
    package let user: UserID
    /// The client has seen everything up to here; nil begins now.
    package var from: StreamPosition?
    /// Only this room, which the user may be in or which all the world may read.
    package var room: RoomID?
    package var timeout: Duration
    package var limit: Int

    package init(user: UserID, from: StreamPosition?, room: RoomID?, timeout: Duration, limit: Int) {
        self.user = user
        self.from = from
        self.room = room
        self.timeout = timeout
        self.limit = limit
    }
}

/// A piece of the stream.
package struct EventStreamAnswer: Sendable {
    package var items: [Item] = []
    package let start: StreamPosition
    package var end: StreamPosition

    package enum Item: Sendable {
        case event(ViewedEvent)
        case typing(room: RoomID, users: [UserID])
        /// `content` is a JSON object.
        case receipts(room: RoomID, content: [UInt8])
        case presence(user: UserID, UserPresence)
        case accountData(AccountDataItem)
    }
}

/// Follows the commit stream for one request. It keeps nothing between requests.
package struct EventStream: Sendable {
    let rooms: RoomRegistry
    let membership: RoomMembership
    let events: EventReader
    let history: RoomHistory
    let commits: CommitStream
    let accountData: AccountDataService
    let receipts: ReceiptService
    let typing: TypingService
    let presence: PresenceService

    package init(
        groundwork: Homeserver.Groundwork, history: RoomHistory, accountData: AccountDataService, receipts: ReceiptService,
        typing: TypingService, presence: PresenceService
    ) {
        rooms = groundwork.rooms
        membership = groundwork.membership
        events = groundwork.events
        commits = groundwork.journal.commits
        self.history = history
        self.accountData = accountData
        self.receipts = receipts
        self.typing = typing
        self.presence = presence
    }

    /// The longest that a request waits, and the most that it gets.
    package static let longestTimeout = Duration.seconds(600)
    package static let itemLimit = 1000

    /// What happened after `from`, or what happens next, within the timeout.
    ///
    /// - Throws: `M_FORBIDDEN` for a room that the user may not read; `CancellationError` when the client has gone away.
    package func events(_ request: EventStreamRequest) async throws -> EventStreamAnswer {
        let start = min(request.from ?? commits.position, commits.position)
        var reader = EventStreamReader(
            stream: self, request: request, ignored: try await accountData.ignoredUsers(of: request.user))
        try await reader.open()
        let deadline = ContinuousClock.now + min(request.timeout, EventStream.longestTimeout)
        let limit = max(1, min(request.limit, EventStream.itemLimit))
        var answer = EventStreamAnswer(start: start, end: start)
        while let commit = try await next(after: answer.end, until: deadline) {
            for change in commit.changes where change.position > answer.end {
                answer.items += try await reader.items(of: change)
                answer.end = change.position
                if answer.items.count >= limit { return answer }
            }
            answer.end = max(answer.end, commit.positions.upperBound)
            // What is there already is all told at once.
            if !answer.items.isEmpty, answer.end >= commits.position { return answer }
        }
        return answer
    }

    /// The next commit; nil when none comes in time.
    private func next(after position: StreamPosition, until deadline: ContinuousClock.Instant) async throws -> Commit? {
        if let commit = commits.recent(after: position)?.first { return commit }
        let behind = position < commits.position
        guard behind || deadline > .now else { return nil }
        let commits = commits
        let commit = await withTaskGroup(of: Commit?.self) { group in
            group.addTask {
                var iterator = commits.from(position).makeAsyncIterator()
                return await iterator.next()
            }
            // What has happened already is read, however long that takes.
            if !behind { group.addTask { (try? await Task.sleep(until: deadline, clock: .continuous)).flatMap { nil } } }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        try Task.checkCancellation()
        return commit
    }
}
