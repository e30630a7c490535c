// How commits change what the sync engine knows, and whom they wake.

import MatrixCore
import Persistence
import Rooms

extension SyncState {
    /// Takes in a commit.
    ///
    /// - Parameter strangersRooms: the rooms of the `strangers` of this commit, where they could be read; who is missing is taken to
    ///   share a room with everyone.
    /// - Returns: who is to be woken.
    package mutating func apply(_ commit: Commit, strangersRooms: [UserID: [RoomNID]] = [:]) -> [SyncWaiter] {
        var woken: [SyncWaiter] = []
        guard commit.positions.upperBound > position else { return woken }
        for change in commit.changes where change.position > position {
            let at = change.position
            switch change.kind {
            case .event(let event):
                apply(event, &woken)
            case .receipt(let room, let user):
                touch(room, at, .receipts, by: user, &woken) { $0.receiptAt = at }
            case .typing(let room):
                touch(room, at, .typing, by: nil, &woken) { $0.typingAt = at }
            case .accountData(let user, let room):
                guard let feed = feeds[user] else { continue }
                feed.accountDataAt = at
                if room == nil { feed.ignoredUsers = nil }
                SyncState.wakeAll(of: feed, &woken)
            case .deviceList(let user):
                tellCompanions(of: user, in: strangersRooms[user], at: at, note: \.deviceListAt, [], &woken)
            case .signatures(_, let viewer):
                guard let feed = feeds[viewer] else { continue }
                feed.deviceListAt = at
                SyncState.wakeAll(of: feed, &woken)
            case .presence(let user):
                presences.append(user, at: at)
                tellCompanions(of: user, in: strangersRooms[user], at: at, note: \.presenceAt, .presence, &woken)
            case .toDevice(let user, let device):
                touch(device, of: user, &woken) { $0.toDeviceAt = at }
            case .oneTimeKeys(let user, let device):
                touch(device, of: user, &woken) { $0.keysAt = at }
            case .threadSubscription(let user):
                guard let feed = feeds[user] else { continue }
                feed.threadSubscriptionsAt = at
                SyncState.wake(feed, .threadSubscriptions, &woken)
            case .completion(_, let room):
                guard let tail = tails[room] else { continue }
                tail.complete(at: at)
                for feed in tail.feeds.values {
                    feed.touch(room, at: at)
                    SyncState.wakeAll(of: feed, &woken)
                }
            case .past(let room):
                guard let tail = tails[room] else { continue }
                forgetTimeline(of: tail, at: at)
            case .profile, .outbound:
                // Of a profile clients hear by member events; what other servers are told is not for them.
                continue
            }
        }
        position = commit.positions.upperBound
        return woken
    }

    /// The users of a commit whose devices or presence changed and whose rooms are not known here.
    package func strangers(in commit: Commit) -> [UserID] {
        commit.changes.compactMap { change in
            switch change.kind {
            case .deviceList(let user), .presence(let user): feeds[user]?.isLoaded == true ? nil : user
            default: nil
            }
        }
    }

    // MARK: Events

    private mutating func apply(_ event: TimelineEvent, _ woken: inout [SyncWaiter]) {
        let own = ownMembership(event)
        if let own {
            own.feed.apply(event, own.membership)
            if own.membership == .join, own.feed.isLoaded {
                let before = StreamPosition(event.position.value - 1)
                tail(event.roomID, event.roomNID, at: before, newest: before).feeds[own.feed.user] = own.feed
            }
        }
        if let tail = tails[event.roomNID] {
            append(event, to: tail)
            for feed in tail.feeds.values {
                feed.touch(event.roomNID, at: event.position)
                SyncState.wakeAll(of: feed, &woken)
            }
        }
        if let own {
            own.feed.touch(event.roomNID, at: event.position)
            SyncState.wakeAll(of: own.feed, &woken)
            if own.membership != .join { tails[event.roomNID]?.feeds[own.feed.user] = nil }
        }
    }

    /// The feed of the user whose membership an event sets.
    private func ownMembership(_ event: TimelineEvent) -> (feed: UserFeed, membership: Membership)? {
        guard let membership = event.membership, let member = event.stateKey, let feed = feeds[UserID(trusted: member.string)],
            !excludedRooms.contains(event.roomID)
        else { return nil }
        return (feed, membership)
    }

    // MARK: The rest

    /// - Parameter user: whose doing it is; it concerns all of their requests.
    private func touch(
        _ room: RoomID, _ position: StreamPosition, _ interest: SyncInterests, by user: UserID?, _ woken: inout [SyncWaiter],
        _ note: (RoomTail) -> Void
    ) {
        guard let tail = tail(of: room) else { return }
        note(tail)
        for feed in tail.feeds.values {
            feed.touch(tail.nid, at: position)
            if feed.user == user { SyncState.wakeAll(of: feed, &woken) } else { SyncState.wake(feed, interest, &woken) }
        }
    }

    private func touch(_ device: DeviceID, of user: UserID, _ woken: inout [SyncWaiter], _ note: (DeviceFeed) -> Void) {
        guard let feed = feeds[user], let deviceFeed = feed.devices[device] else { return }
        note(deviceFeed)
        woken.append(contentsOf: feed.waiters.filter { $0.device == device })
        feed.waiters.removeAll { $0.device == device }
    }

    /// Notes a change at the active users who share a room with `user`, and at `user`.
    ///
    /// - Parameter rooms: where `user` is, as far as it is not known here; nil where that could not be found out.
    private func tellCompanions(
        of user: UserID, in rooms: [RoomNID]?, at position: StreamPosition, note: ReferenceWritableKeyPath<UserFeed, StreamPosition>,
        _ interest: SyncInterests, _ woken: inout [SyncWaiter]
    ) {
        func tell(_ feeds: some Sequence<UserFeed>, _ woken: inout [SyncWaiter]) {
            for feed in feeds where feed[keyPath: note] != position {
                feed[keyPath: note] = position
                SyncState.wake(feed, interest, &woken)
            }
        }
        let own = feeds[user]
        if let own { tell(CollectionOfOne(own), &woken) }
        if let own, own.isLoaded {
            for room in own.rooms.values where room.membership == .join {
                if let tail = tails[room.nid] { tell(tail.feeds.values, &woken) }
            }
        } else if let rooms {
            for room in rooms { if let tail = tails[room] { tell(tail.feeds.values, &woken) } }
        } else {
            tell(feeds.values, &woken)
        }
    }

    /// Wakes the requests that have this interest.
    private static func wake(_ feed: UserFeed, _ interest: SyncInterests, _ woken: inout [SyncWaiter]) {
        if feed.waiters.allSatisfy({ $0.interests.isSuperset(of: interest) }) { return wakeAll(of: feed, &woken) }
        woken.append(contentsOf: feed.waiters.filter { $0.interests.isSuperset(of: interest) })
        feed.waiters.removeAll { $0.interests.isSuperset(of: interest) }
    }

    private static func wakeAll(of feed: UserFeed, _ woken: inout [SyncWaiter]) {
        guard !feed.waiters.isEmpty else { return }
        woken.append(contentsOf: feed.waiters)
        feed.waiters.removeAll(keepingCapacity: true)
    }
}
