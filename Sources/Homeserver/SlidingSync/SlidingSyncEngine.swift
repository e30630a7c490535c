// Sliding sync: answers at once, or when something happens. MSC4186.

import Logging
import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Answers sliding sync out of what `SyncEngine` knows, and remembers through `SlidingConnections` what was sent.
///
/// An answer costs what is new: lists are kept in order from one answer of a connection to the next, rooms in which nothing happened are
/// compared by numbers at most, and a client that waits is one more waiter of its user.
package final class SlidingSyncEngine: Sendable {
    let sync: SyncEngine
    /// nil where users cannot follow threads: then the extension has nothing to say.
    let threadSubscriptions: ThreadSubscriptionService?
    package let connections: SlidingConnections

    private struct State {
        /// What rooms are, and as of when.
        var traits = RecentCache<RoomNID, (traits: RoomTraits, asOf: StreamPosition)>(capacity: 100_000)
        /// What rooms were for those who are not in them, by their member events.
        var pastTraits = RecentCache<EventNID, RoomTraits>(capacity: 20_000)
        var timelineFilters: [Int: SyncFilter] = [:]
    }

    private let state = Mutex(State())

    package init(sync: SyncEngine, threadSubscriptions: ThreadSubscriptionService?, connections: SlidingConnections) {
        self.sync = sync
        self.threadSubscriptions = threadSubscriptions
        self.connections = connections
    }

    /// What the client was sent that makes a request.
    private struct Start {
        /// nil where the client begins anew, or has never asked for rooms.
        var connection: SlidingConnection?
        var number: Int64 = 0
        var sent: [RoomNID: SentRoom] = [:]
    }

    // MARK: Answering

    /// Answers a request: the whole body of the response, a JSON object.
    ///
    /// - Throws: `M_UNKNOWN_POS` for a position of which the server does not know any more what it means; `CancellationError` when the
    ///   client has gone away; `DatabaseError`.
    package func sync(_ request: SlidingSyncRequest) async throws -> [UInt8] {
        try await sync.catchUp(to: sync.journal.position)
        var round = Round()
        let start = try await begin(request, &round)
        if let device = request.device, let confirmed = request.extensions.toDevice?.since {
            let position = sync.state.withLock { $0.position }
            if confirmed <= position { try await sync.toDevice.acknowledge(request.user, device, upTo: confirmed) }
        }
        let deadline = SyncTimer.deadline(after: SyncEngine.milliseconds(of: request.timeout))
        var isLast = request.timeout <= .zero || request.position == nil
        while true {
            let answer = try await look(request, start, &round)
            if !answer.isEmpty || isLast { return try await finish(answer, request, start, round) }
            let waiter = SyncWaiter(device: request.device, interests: request.interests)
            switch await sync.wait(waiter, of: request.user, seen: answer.upTo, deadline: deadline) {
            case .changed: continue
            case .cancelled: throw CancellationError()
            // One more look: something may have come at the last moment.
            case .timedOut, .stopping: isLast = true
            }
        }
    }

    /// What one request has worked out so far.
    private struct Round {
        var updates: [RoomNID: SentRoom] = [:]
        var memo = ConnectionMemo()
        /// Only what happened after this can be news; nil where everything has to be looked at.
        var settled: StreamPosition?

        /// Hands the memo over: who changes it must not share it, or it is copied.
        mutating func takeMemo() -> ConnectionMemo {
            defer { memo = ConnectionMemo() }
            return memo
        }
    }

    /// Looks once for what there is to tell.
    private func look(_ request: SlidingSyncRequest, _ start: Start, _ round: inout Round) async throws -> SlidingAnswer {
        var scope = try await scope(request, round)
        if try await readCatalog(&round.memo.catalog, request, scope), round.settled != nil {
            // Other rooms may be in the lists now.
            round.settled = nil
            scope = try await self.scope(request, round)
        }
        var reader = SlidingReader(
            engine: self, request: request, scope: scope, sent: start.sent, updates: round.updates, memo: round.takeMemo())
        let answer = try await reader.answer(isSettled: round.settled != nil)
        round = Round(updates: reader.updates, memo: reader.memo, settled: scope.upTo)
        return answer
    }

    private func scope(_ request: SlidingSyncRequest, _ round: Round) async throws -> SlidingScope {
        var question = SlidingScopeQuestion(
            user: request.user, device: request.device, since: request.position?.stream, settled: round.settled)
        question.subscribed = Array(request.subscriptions.keys) + request.filteredSpaces
        question.others = round.memo.catalog.departures.union(round.memo.catalog.removals)
        while true {
            let now = SyncTimer.now
            if let scope = sync.state.withLock({ $0.slidingScope(question, now: now) }) { return scope }
            try await sync.load(request.user)
        }
    }

    // MARK: Connections

    private func begin(_ request: SlidingSyncRequest, _ round: inout Round) async throws -> Start {
        guard let position = request.position else { return Start() }
        // A position from the future is one from before the database was set back to an older state.
        guard position.stream <= sync.state.withLock({ $0.position }) else { throw MatrixError.unknownPosition }
        guard position.connection != 0 else { return Start() }
        guard let connection = try await connections.connection(address(of: request), key: position.connection),
            let (sent, memo) = connection.begin(position.number, now: .now)
        else { throw MatrixError.unknownPosition }
        if let memo, isUsable(memo, at: position, for: request) { (round.memo, round.settled) = (memo, position.stream) }
        return Start(connection: connection, number: position.number, sent: sent)
    }

    private func address(of request: SlidingSyncRequest) -> ConnectionAddress {
        ConnectionAddress(user: request.user, device: request.device ?? DeviceID(trusted: ""), name: request.connection)
    }

    /// Whether a memo is about the position that a request comes from, and knows the lists that it asks for.
    private func isUsable(_ memo: ConnectionMemo, at position: SlidingSyncPosition, for request: SlidingSyncRequest) -> Bool {
        memo.number == position.number && memo.stream == position.stream
            && request.lists.allSatisfy { list in memo.lists.contains { $0.list.key == list.key && $0.list.filter == list.filter } }
            && (memo.catalog.tags != nil || !request.lists.contains(where: \.filter.asksForTags))
    }

    private func finish(_ answer: SlidingAnswer, _ request: SlidingSyncRequest, _ start: Start, _ round: Round) async throws -> [UInt8] {
        var (key, number): (Int64, Int64) = (0, 0)
        if let connection = start.connection {
            guard let given = connection.end(round.updates, from: start.number, memo: round.memo) else {
                throw MatrixError.unknownPosition
            }
            (key, number) = (connection.key, given)
        } else if !round.updates.isEmpty {
            (key, number) = try await connections.begin(address(of: request), with: round.updates, memo: round.memo)
        }
        let writer = SlidingWriter(
            answer: answer, position: SlidingSyncPosition(connection: key, number: number, stream: answer.upTo),
            viewer: EventViewer(user: request.user, device: request.device), now: .now)
        return writer.write()
    }

    // MARK: What lists go by

    /// Reads what the catalog lacks of the user's account data.
    ///
    /// - Returns: whether lists may show other rooms now.
    private func readCatalog(_ catalog: inout RoomCatalog, _ request: SlidingSyncRequest, _ scope: SlidingScope) async throws -> Bool {
        guard request.wantsRooms else { return false }
        let before = catalog
        catalog.ignored = scope.ignoredUsers
        let needsTags = request.lists.contains(where: \.filter.asksForTags)
        if catalog.asOf.map({ $0 < scope.accountDataAt }) ?? true || (needsTags && catalog.tags == nil) {
            let user = request.user
            let (direct, invites, tags) = try await sync.database.read { connection in
                (
                    try AccountDataStore.content("m.direct", room: nil, of: user, on: connection),
                    try AccountDataStore.content(InvitePermission.type, room: nil, of: user, on: connection),
                    needsTags ? try SlidingSyncStore.roomContents("m.tag", of: user, on: connection) : nil
                )
            }
            catalog.direct = RoomCatalog.rooms(direct: direct)
            catalog.blocksInvites = InvitePermission(stored: invites).blocksAll
            catalog.tags = tags.map { rooms in
                Dictionary(rooms.map { ($0.room, RoomCatalog.tags(in: $0.content)) }) { first, _ in first }
            }
            catalog.asOf = scope.upTo
        }
        try await readSpaces(request.filteredSpaces, &catalog, scope)
        return !catalog.selects(like: before)
    }

    /// Reads which rooms are in spaces, where a space is new to the catalog or its state has changed.
    private func readSpaces(_ wanted: Set<RoomID>, _ catalog: inout RoomCatalog, _ scope: SlidingScope) async throws {
        guard !wanted.isEmpty else {
            catalog.spaces = [:]
            return
        }
        var spaces: [RoomID: RoomCatalog.Space] = [:]
        for glance in scope.glances.values where wanted.contains(glance.room.room) && glance.room.membership == .join {
            let id = glance.room.room
            if let known = catalog.spaces[id], max(glance.stateAt, glance.floor) <= known.asOf {
                spaces[id] = known
                continue
            }
            guard let room = try await sync.rooms.room(id) else { continue }
            let holders = room.current.state.lazy.compactMap { $0.key.type == SpaceChild.type ? $0.value.nid : nil }
            let children = try await sync.events.events(holders.sorted()).compactMap { SpaceChild($0)?.room }
            spaces[id] = RoomCatalog.Space(rooms: Set(children), asOf: scope.upTo)
        }
        catalog.spaces = spaces
    }

    /// What these rooms are; rooms that cannot be read are left out.
    func traits(of glances: [RoomGlance], upTo: StreamPosition) async throws -> [RoomNID: RoomTraits] {
        var found: [RoomNID: RoomTraits] = [:]
        var joined: [RoomNID] = []
        var others: [FeedRoom] = []
        state.withLock { state in
            for glance in glances {
                let room = glance.room
                if room.membership == .join {
                    if let known = state.traits.value(for: room.nid), known.asOf >= glance.stateAt {
                        found[room.nid] = known.traits
                    } else {
                        joined.append(room.nid)
                    }
                } else if let known = state.pastTraits.value(for: room.event) {
                    found[room.nid] = known
                } else {
                    others.append(room)
                }
            }
        }
        if !joined.isEmpty {
            let read = try await currentTraits(of: joined)
            state.withLock { state in for (room, traits) in read { state.traits.insert((traits, upTo), for: room) } }
            found.merge(read) { _, new in new }
        }
        for room in others {
            guard let member = try await sync.events.event(room.event) else { continue }
            let holders = try await sync.events.state([.create, .encryption], at: member.snapshotBefore)
            let traits = RoomTraits(try await sync.events.events(holders.values.sorted()))
            state.withLock { $0.pastTraits.insert(traits, for: room.event) }
            found[room.nid] = traits
        }
        return found
    }

    private func currentTraits(of rooms: [RoomNID]) async throws -> [RoomNID: RoomTraits] {
        let types = [StateKey.create.type, StateKey.encryption.type]
        let holders = try await sync.database.read { try SlidingSyncStore.stateHolders(of: types, in: rooms, on: $0) }
        let events = try await sync.events.events(holders.map(\.event))
        return Dictionary(grouping: events, by: \.roomNID).mapValues { RoomTraits($0) }
    }

    /// The filter that shows so many events of a timeline.
    func timelineFilter(_ limit: Int) -> SyncFilter {
        state.withLock { state in
            if let known = state.timelineFilters[limit] { return known }
            var filter = Filter.everything
            filter.room.timeline.events.limit = limit
            let new = SyncFilter(filter, maximumLimit: -1)
            state.timelineFilters[limit] = new
            return new
        }
    }
}

extension SlidingSyncRequest {
    /// The spaces that lists filter by.
    fileprivate var filteredSpaces: Set<RoomID> {
        lists.reduce(into: []) { $0.formUnion($1.filter.spaces ?? []) }
    }

    /// What may happen that the client wants to hear of.
    fileprivate var interests: SyncInterests {
        var interests: SyncInterests = []
        if extensions.receipts != nil { interests.insert(.receipts) }
        if extensions.typing != nil { interests.insert(.typing) }
        if extensions.threadSubscriptionLimit != nil { interests.insert(.threadSubscriptions) }
        return interests
    }
}

extension RoomCatalog {
    /// The rooms that the content of `m.direct` names.
    fileprivate static func rooms(direct content: [UInt8]?) -> Set<RoomID> {
        guard let content, let document = try? JSONDocument(parsing: content) else { return [] }
        var rooms: Set<RoomID> = []
        for (_, list) in document.root.members {
            for room in list.elements { if let room = room.string { rooms.insert(RoomID(trusted: room)) } }
        }
        return rooms
    }

    /// The names of the tags in the content of `m.tag`.
    fileprivate static func tags(in content: [UInt8]) -> Set<ByteString> {
        guard let document = try? JSONDocument(parsing: content), let tags = document.root["tags"] else { return [] }
        return Set(tags.members.map(\.key))
    }
}

extension RoomTraits {
    /// - Parameter state: the events of the room's state that say what it is.
    fileprivate init(_ state: [TimelineEvent]) {
        self.init()
        for event in state {
            let content = event.contentIfReadable
            switch event.type {
            case StateKey.create.type: type = content?["type"]?.byteString
            case StateKey.encryption.type: isEncrypted = content?["algorithm"]?.string != nil
            default: continue
            }
        }
    }
}
