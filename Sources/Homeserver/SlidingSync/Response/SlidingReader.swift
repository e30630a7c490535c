// Gathers what one answer says. MSC4186.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Answers one request for one moment of the stream.
struct SlidingReader: Sendable {
    let engine: SlidingSyncEngine
    let request: SlidingSyncRequest
    let scope: SlidingScope
    /// What the client has.
    let sent: [RoomNID: SentRoom]
    /// What it has in addition once it has got this answer.
    var updates: [RoomNID: SentRoom]
    /// What was worked out for the position that the client comes from; then for that of the answer.
    var memo: ConnectionMemo
    var windows: SlidingWindows

    /// nil on a new connection.
    var since: StreamPosition? { request.position?.stream }
    var upTo: StreamPosition { scope.upTo }
    var events: EventReader { engine.sync.events }

    init(
        engine: SlidingSyncEngine, request: SlidingSyncRequest, scope: SlidingScope, sent: [RoomNID: SentRoom],
        updates: [RoomNID: SentRoom], memo: ConnectionMemo
    ) {
        self.engine = engine
        self.request = request
        self.scope = scope
        self.sent = sent
        self.updates = updates
        self.memo = memo
        windows = SlidingWindows(engine.connections.requiredStates)
    }

    func state(of room: RoomNID) -> SentRoom? { updates[room] ?? sent[room] }

    /// - Parameter isSettled: what the memo says of lists holds: rooms in which nothing happened need not be looked at again.
    mutating func answer(isSettled: Bool) async throws -> SlidingAnswer {
        var answer = SlidingAnswer(upTo: upTo)
        var glances = scope.glances
        var considered: Set<RoomNID> = []
        if request.wantsRooms {
            let isWalk = try await readLists(&answer, isSettled: isSettled)
            considered = isWalk ? windows.all : Set(windows.partly).union(glances.keys.filter { windows.config(of: $0) != nil })
            if isSettled, !isWalk, !memo.fits(request.extensions) { considered = windows.all }
            let unseen = considered.filter { glances[$0] == nil && needsLook($0) }
            if !unseen.isEmpty {
                let (user, end) = (request.user, upTo)
                let found = engine.sync.state.withLock { $0.glances(Array(unseen), of: user, upTo: end) }
                glances.merge(found) { known, _ in known }
            }
            try await readRooms(&answer, considered.compactMap { glances[$0] })
        }
        try await readExtensions(&answer, considered, glances)
        if request.wantsRooms { try await readUnread(&answer, glances) }
        memo.subscriptions = request.subscriptions
        memo.extensions = request.extensions
        memo.stream = upTo
        return answer
    }

    // MARK: Which rooms

    /// Whether something of a room may have to be sent although nothing happened in it lately.
    private func needsLook(_ room: RoomNID) -> Bool {
        guard let config = windows.config(of: room) else { return false }
        guard let state = state(of: room), let sentUpTo = state.upTo, state.config.covers(config) else { return true }
        if let newest = memo.lists.lazy.compactMap({ $0.order.position(of: room) }).first, newest > sentUpTo { return true }
        if request.extensions.receipts != nil, state.receipts != .live { return true }
        return request.extensions.accountData != nil && state.accountData != .live
    }

    /// Whether the room itself has something that the client has not got, or the client asks for more.
    private func needsSending(_ glance: RoomGlance, _ config: RoomConfig) -> Bool {
        guard since != nil, let state = state(of: glance.room.nid), let sentUpTo = state.upTo else { return true }
        return max(glance.newest, glance.room.position) > sentUpTo || !state.config.covers(config)
    }

    private mutating func readRooms(_ answer: inout SlidingAnswer, _ glances: [RoomGlance]) async throws {
        for glance in glances.sorted(by: { $0.newest > $1.newest }) {
            guard let config = windows.config(of: glance.room.nid), needsSending(glance, config) else { continue }
            do {
                if let room = try await read(glance, config), !room.isEmpty { answer.rooms.append(room) }
            } catch let error as MatrixError where error.status == 404 {
                // A room that cannot be opened must not take the others with it.
                engine.sync.logger.warning(
                    "a room was left out of a sync", metadata: ["room": "\(glance.room.room)", "error": "\(error)"])
            }
        }
    }

    /// Adds the counts of unread events, and the rooms in which nothing else has changed.
    private func readUnread(_ answer: inout SlidingAnswer, _ glances: [RoomNID: RoomGlance]) async throws {
        var questions: [UnreadService.Question] = []
        for room in answer.rooms where room.membership == .join {
            guard let glance = glances[room.nid] else { continue }
            var question = UnreadService.Question(glance.room, newest: min(glance.newest, upTo))
            if let timeline = room.timeline {
                question.known = timeline.passed
                question.floor = timeline.start
            }
            questions.append(question)
        }
        let told = Set(answer.rooms.map(\.nid))
        if let since {
            for (nid, glance) in scope.glances where glance.room.membership == .join && !told.contains(nid) {
                guard glance.hasReceipts(after: since), windows.config(of: nid) != nil, state(of: nid)?.upTo != nil else { continue }
                questions.append(UnreadService.Question(glance.room, newest: min(glance.newest, upTo)))
            }
        }
        guard !questions.isEmpty else { return }
        let counts = try await engine.sync.unread.counts(
            questions, of: request.user, ignoring: scope.ignoredUsers, upTo: upTo, since: since)
        for index in answer.rooms.indices { answer.rooms[index].unread = counts[answer.rooms[index].nid]?.total }
        for question in questions where !told.contains(question.nid) {
            guard let count = counts[question.nid], count.isNews else { continue }
            var room = SlidingRoom(room: question.room, nid: question.nid, membership: .join)
            room.unread = count.total
            room.hasNewCounts = true
            room.isDirect = memo.catalog.direct.contains(question.room)
            answer.rooms.append(room)
        }
    }
}
