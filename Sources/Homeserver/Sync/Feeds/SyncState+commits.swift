// How commits change what the sync engine knows, and whom they wake.

import MatrixCore
import Persistence
import Rooms

extension SyncState {
    /// Takes in a commit.
    ///
    /// - Parameter deviceListRooms: the rooms of the users whose devices changed, where they could be read; who is missing is
    ///   taken to share a room with everyone.
    /// - Returns: who is to be woken.
    package mutating func apply(_ commit: Commit, deviceListRooms: [UserID: [RoomNID]] = [:]) -> [SyncWaiter] {
        var woken: [SyncWaiter] = []
        guard commit.positions.upperBound > position else { return woken }
        for change in commit.changes where change.position > position {
            let at = change.position
            switch change.kind {
            case .event(let event):
                apply(event, &woken)
            case .receipt(let room, _):
                touch(room, at, &woken) { $0.receiptAt = at }
            case .typing(let room):
                touch(room, at, &woken) { $0.typingAt = at }
            case .accountData(let user, let room):
                guard let feed = feeds[user] else { continue }
                feed.accountDataAt = at
                if room == nil { feed.ignoredUsers = nil }
                SyncState.wakeAll(of: feed, &woken)
            case .deviceList(let user):
                for feed in deviceListReaders(of: user, in: deviceListRooms[user]) {
                    feed.deviceListAt = at
                    SyncState.wakeAll(of: feed, &woken)
                }
            case .toDevice(let user, let device):
                touch(device, of: user, &woken) { $0.toDeviceAt = at }
            case .oneTimeKeys(let user, let device):
                touch(device, of: user, &woken) { $0.keysAt = at }
            case .profile:
                // Clients hear of it by member events.
                continue
            }
        }
        position = commit.positions.upperBound
        return woken
    }

    /// The users of a commit whose devices changed and whose rooms are not known here.
    package func strangers(in commit: Commit) -> [UserID] {
        commit.changes.compactMap { change in
            guard case .deviceList(let user) = change.kind, feeds[user]?.isLoaded != true else { return nil }
            return user
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
        guard let membership = event.membership, let member = event.stateKey, let feed = feeds[UserID(trusted: member.string)] else {
            return nil
        }
        return (feed, membership)
    }

    // MARK: The rest

    private func touch(_ room: RoomID, _ position: StreamPosition, _ woken: inout [SyncWaiter], _ note: (RoomTail) -> Void) {
        guard let tail = tail(of: room) else { return }
        note(tail)
        for feed in tail.feeds.values {
            feed.touch(tail.nid, at: position)
            SyncState.wakeAll(of: feed, &woken)
        }
    }

    private func touch(_ device: DeviceID, of user: UserID, _ woken: inout [SyncWaiter], _ note: (DeviceFeed) -> Void) {
        guard let feed = feeds[user], let deviceFeed = feed.devices[device] else { return }
        note(deviceFeed)
        woken.append(contentsOf: feed.waiters.filter { $0.device == device })
        feed.waiters.removeAll { $0.device == device }
    }

    /// The active users who share a room with `user`, and `user`.
    private func deviceListReaders(of user: UserID, in rooms: [RoomNID]?) -> [UserFeed] {
        let own = feeds[user]
        let known = own?.isLoaded == true ? own?.rooms.values.filter { $0.membership == .join }.map(\.nid) : rooms
        guard let known else { return Array(feeds.values) }
        var readers: [UserID: UserFeed] = [:]
        for room in known {
            if let tail = tails[room] { readers.merge(tail.feeds) { known, _ in known } }
        }
        readers[user] = own
        return Array(readers.values)
    }

    private static func wakeAll(of feed: UserFeed, _ woken: inout [SyncWaiter]) {
        guard !feed.waiters.isEmpty else { return }
        woken.append(contentsOf: feed.waiters)
        feed.waiters.removeAll(keepingCapacity: true)
    }
}
