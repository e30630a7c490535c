// What one sync has to look at, decided by comparing stream positions.

import MatrixCore
import Persistence
import Rooms

/// Who asks for what, as far as the scope depends on it.
package struct ScopeQuestion: Sendable {
    package let user: UserID
    package let device: DeviceID?
    /// nil for an initial sync.
    package var since: StreamPosition?
    /// Every joined room is wanted, whether anything happened or not.
    package let wantsFullState: Bool
    package let filter: SyncFilter

    package init(user: UserID, device: DeviceID?, since: StreamPosition?, wantsFullState: Bool = false, filter: SyncFilter) {
        self.user = user
        self.device = device
        self.since = since
        self.wantsFullState = wantsFullState
        self.filter = filter
    }
}

extension SyncState {
    /// nil when the user's feed is not loaded, or its ignored users are not known.
    package mutating func scope(_ question: ScopeQuestion, now: Int64) -> SyncScope? {
        let feed = feed(of: question.user, now: now)
        guard feed.isLoaded, let ignoredUsers = feed.ignoredUsers else { return nil }
        var scope = SyncScope(upTo: position, since: question.since, ignoredUsers: ignoredUsers)
        let device = question.device.map { deviceFeed($0, of: feed) }
        guard let since = question.since else {
            if let device {
                device.sentMembers.removeAll()
                scope.hasToDevice = true
            }
            scope.hasAccountData = true
            scope.hasPresence = !question.filter.filter.presence.passesNothing
            scope.rooms = feed.rooms.values.filter { isShown($0, question.filter) }.map { roomScope($0, nil, question.filter, now: now) }
            return scope.sorted()
        }
        let isKnown = since >= feed.floor
        scope.hasAccountData = !isKnown || feed.accountDataAt > since || question.wantsFullState
        scope.hasDeviceLists = !isKnown || feed.deviceListAt > since
        let hasPresence = question.wantsFullState || !isKnown || since < presences.floor || feed.presenceAt > since
        scope.hasPresence = hasPresence && !question.filter.filter.presence.passesNothing
        if let device {
            scope.hasToDevice = since < device.floor || device.toDeviceAt > since
            scope.hasKeys = device.keysAt > since
        }
        let touched = isKnown && !question.wantsFullState ? feed.recent.rooms(after: since) : nil
        if let touched {
            for nid in touched {
                if let room = feed.rooms[nid] { add(room, since, question, to: &scope, now: now) }
            }
        } else {
            for room in feed.rooms.values { add(room, since, question, to: &scope, now: now) }
        }
        return scope.sorted()
    }

    /// Who wants to know all members of a room does not see it before they are known; as with Synapse.
    private func isShown(_ room: FeedRoom, _ filter: SyncFilter) -> Bool {
        filter.lazyLoadsMembers || room.membership != .join || partialRooms[room.nid] != .partial
    }

    /// Adds a room to an incremental sync if there may be something new in it.
    private func add(_ room: FeedRoom, _ since: StreamPosition, _ question: ScopeQuestion, to scope: inout SyncScope, now: Int64) {
        guard isShown(room, question.filter) else { return }
        let wholeAt = room.membership == .join ? partialRooms.wholeAt(room.nid).flatMap { $0 > since ? $0 : nil } : nil
        let isOwnChange = room.position > since
        guard room.membership == .join, let tail = tails[room.nid] else {
            guard isOwnChange else { return }
            scope.hasDeviceLists = true
            scope.rooms.append(roomScope(room, since, question.filter, now: now))
            return
        }
        let isUnknown = since < tail.floor
        let hasEvents = tail.eventAt > since || isOwnChange || wholeAt != nil
        let hasReceipts = isUnknown || tail.receiptAt > since
        let hasTyping = isUnknown || tail.typingAt > since
        if isOwnChange || wholeAt != nil || tail.membershipAt > since || (isUnknown && hasEvents) { scope.hasDeviceLists = true }
        guard hasEvents || hasReceipts || hasTyping || question.wantsFullState else { return }
        var entry = roomScope(room, since, question.filter, now: now)
        entry.hasEvents = hasEvents
        entry.hasReceipts = hasReceipts
        entry.hasTyping = hasTyping
        entry.wholeAt = wholeAt
        scope.rooms.append(entry)
    }

    /// What there is to know of a room, as of now.
    func roomScope(_ room: FeedRoom, _ since: StreamPosition?, _ filter: SyncFilter, now: Int64) -> RoomScope {
        let upTo = room.membership == .join ? position : min(position, room.position)
        guard let tail = tails[room.nid] else {
            return RoomScope(room: room, newest: upTo, timeline: TimelineWindow.Candidates(events: [], floor: upTo, upTo: upTo))
        }
        tail.lastUsed = now
        let events: [TimelineEvent]
        var floor = tail.ring.floor
        if let since, room.position <= since, tail.ring.covers(after: since) {
            events = tail.ring.events(after: since, upTo: upTo)
            floor = since
        } else {
            // Enough for the whole timeline and to see that there is more.
            let limit = max(filter.timelineLimit, 31)
            events = tail.ring.events(after: floor, upTo: upTo, limit: limit < EventRing.eventLimit ? limit + 1 : .max)
            if let first = events.first, let oldest = tail.ring.events.first, first.position > oldest.position {
                floor = StreamPosition(first.position.value - 1)
            }
        }
        return RoomScope(
            room: room, newest: min(tail.eventAt, upTo),
            timeline: TimelineWindow.Candidates(events: events, floor: min(floor, upTo), upTo: upTo), base: tail.base,
            rendered: tail.rendered)
    }

    /// The scope entry of a room in which only receipts, typing or account data are new.
    package func quietRoom(_ room: FeedRoom, since: StreamPosition?, filter: SyncFilter) -> RoomScope {
        var scope = roomScope(room, since, filter, now: SyncTimer.now)
        scope.hasEvents = false
        scope.hasReceipts = false
        scope.hasTyping = false
        return scope
    }

    package func deviceFeed(_ device: DeviceID, of feed: UserFeed) -> DeviceFeed {
        if let known = feed.devices[device] { return known }
        let new = DeviceFeed(at: position)
        feed.devices[device] = new
        return new
    }

    // MARK: Waiting

    /// Lets a request wait.
    ///
    /// - Parameter seen: the request has looked at everything up to here.
    /// - Returns: false when something has happened since; the request must look again.
    package func park(_ waiter: SyncWaiter, of user: UserID, seen: StreamPosition) -> Bool {
        guard let feed = feeds[user], feed.isLoaded, feed.newest(for: waiter.device) <= seen else { return false }
        feed.waiters.append(waiter)
        return true
    }

    package func leave(_ waiter: SyncWaiter, of user: UserID) {
        feeds[user]?.waiters.removeAll { $0 === waiter }
    }
}

extension SyncScope {
    fileprivate func sorted() -> SyncScope {
        guard rooms.count > 1 else { return self }
        var scope = self
        scope.rooms.sort { $0.room.nid < $1.room.nid }
        return scope
    }
}
