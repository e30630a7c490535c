// What syncs read into memory, and what they leave there.

import MatrixCore
import Persistence
import Rooms
import Synchronization

extension SyncEngine {
    /// Reads what a user's feed lacks: the rooms, the ignored users.
    func load(_ user: UserID) async throws {
        let now = SyncTimer.now
        let (isLoaded, asOf) = state.withLock { state in
            let feed = state.feed(of: user, now: now)
            return (feed.isLoaded, state.position)
        }
        if !isLoaded { try await loadRooms(of: user, asOf: asOf) }
        try await loadIgnoredUsers(of: user)
    }

    private func loadRooms(of user: UserID, asOf: StreamPosition) async throws {
        let (rows, newest) = try await database.read { connection in
            let rows = try MembershipStore.rooms(of: user, on: connection)
            let joined = rows.filter { $0.membership == .join }.map(\.roomNID)
            return (rows, try SyncStore.newestPositions(of: joined, on: connection))
        }
        let now = SyncTimer.now
        state.withLock { state in
            let feed = state.feed(of: user, now: now)
            // What came while the database was read may be in its answer or not: the commits tell.
            var (newest, asOf) = (newest, asOf)
            if asOf < state.position, let missed = journal.commits.recent(after: asOf) {
                for event in missed.filter({ $0.positions.upperBound <= state.position }).events {
                    newest[event.roomNID] = max(newest[event.roomNID] ?? .zero, event.position)
                }
                asOf = state.position
            }
            state.load(feed, rows, newest: newest, asOf: asOf)
        }
    }

    /// Client-Server API §Ignoring Users.
    private func loadIgnoredUsers(of user: UserID) async throws {
        let readAt = state.withLock { $0.feeds[user]?.accountDataAt }
        let ignored = try await accountData.ignoredUsers(of: user)
        state.withLock { state in
            // A change that came while this was read is read again.
            guard let feed = state.feeds[user], feed.accountDataAt == readAt else { return }
            feed.ignoredUsers = ignored
        }
    }

    /// Events of a room have lost their content without an event that says so: they are read again.
    func forgetTimeline(of room: RoomID) {
        state.withLock { $0.forgetTimeline(of: room) }
    }

    // MARK: For the reader of one response

    /// Rooms of the user in which nothing but account data is new. Of rooms that the user is not in, none.
    func quietRooms(_ rooms: [RoomID], of request: SyncRequest, since: StreamPosition?) -> [RoomScope] {
        let wanted = Set(rooms)
        return state.withLock { state in
            guard let feed = state.feeds[request.user] else { return [] }
            return feed.rooms.values.filter { $0.membership == .join && wanted.contains($0.room) }
                .map { state.quietRoom($0, since: since, filter: request.filter) }
        }
    }

    /// - Parameter asOf: everything up to there is in the state.
    func keep(_ base: RoomBase, asOf: StreamPosition) {
        state.withLock { $0.tails[base.snapshot.nid]?.keep(base, asOf: asOf) }
    }

    /// Keeps events of the past that were read, oldest first: all after `floor` and up to `end`.
    func keep(_ older: [TimelineEvent], after floor: StreamPosition, upTo end: StreamPosition, of room: RoomNID, asOf: StreamPosition) {
        state.withLock { $0.keep(older, after: floor, upTo: end, of: room, asOf: asOf) }
    }

    /// Those member events that the device has got already.
    func knownMembers(_ members: [EventNID], _ request: SyncRequest, since: StreamPosition?) -> Set<EventNID> {
        guard let device = request.device, since != nil else { return [] }
        return state.withLock { state in
            guard let feed = state.feeds[request.user]?.devices[device] else { return [] }
            return Set(members.filter { feed.sentMembers.isKnown($0, since: since) })
        }
    }
}

extension SyncState {
    /// Notes what a device has got, for its next sync.
    func didSend(_ answer: SyncAnswer, to request: SyncRequest) {
        guard let device = request.device, let feed = feeds[request.user]?.devices[device] else { return }
        if !answer.toDevice.isEmpty { feed.unconfirmed = max(feed.unconfirmed ?? .zero, answer.nextBatch) }
        guard request.filter.lazyLoadsMembers else { return }
        for room in answer.joined {
            for event in room.state where event.membership != nil { feed.sentMembers.note(event.nid, nextBatch: answer.nextBatch) }
            for event in room.timeline.events where event.membership != nil {
                feed.sentMembers.note(event.nid, nextBatch: answer.nextBatch)
            }
        }
    }
}
