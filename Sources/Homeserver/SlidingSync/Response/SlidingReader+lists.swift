// The lists of an answer. MSC4186: filtered, sorted by recency, cut into windows.

import MatrixCore
import Persistence
import Rooms

extension SlidingReader {
    /// As many rooms at most are sorted anew for an answer that shows a whole list; clients that see all rooms sort them themselves.
    private static let sortedLimit = 100

    /// Brings the lists up to date and adds them to the answer; sets `windows`.
    ///
    /// - Returns: whether every room in the windows has to be looked at.
    mutating func readLists(_ answer: inout SlidingAnswer, isSettled: Bool) async throws -> Bool {
        var isWalk = scope.isWhole || !isSettled
        try await readSenders()
        try await readForgotten()
        var lists: [ListMemo] = []
        if !request.lists.isEmpty {
            let shown = try await shownRooms()
            if scope.isWhole { memo.lists = [] }
            for list in request.lists {
                guard var known = memo.takeList(list.key) else {
                    isWalk = true
                    lists.append(build(list, shown))
                    continue
                }
                let wasWhole = list.ranges.contains { $0.coversAll(known.order.count) }
                if known.list != list { isWalk = true }
                known.list = list
                update(&known, shown)
                // Rooms have come into view that were beyond the end before.
                if !wasWhole, list.ranges.contains(where: { $0.coversAll(known.order.count) }) { isWalk = true }
                lists.append(known)
            }
        }
        memo.lists = lists
        for list in lists { windows.add(list.list, list.order) }
        if !request.subscriptions.isEmpty {
            for glance in scope.glances.values {
                if let config = request.subscriptions[glance.room.room], isReadable(glance) { windows.add(config, to: glance.room.nid) }
            }
        }
        for index in memo.lists.indices { answer.lists.append(render(&memo.lists[index])) }
        return isWalk
    }

    // MARK: Orders

    private func build(_ list: SlidingList, _ shown: [RoomNID: RoomTraits?]) -> ListMemo {
        let entries = scope.glances.values.compactMap { glance -> RoomOrder.Entry? in
            position(of: glance, in: list, shown).map { RoomOrder.Entry(position: $0, room: glance.room.nid) }
        }
        return ListMemo(list: list, order: RoomOrder(entries))
    }

    private func update(_ list: inout ListMemo, _ shown: [RoomNID: RoomTraits?]) {
        for glance in scope.glances.values {
            if list.order.set(glance.room.nid, to: position(of: glance, in: list.list, shown)) { list.rendered = nil }
        }
    }

    /// Where a room belongs; nil where it is not in the list.
    private func position(of glance: RoomGlance, in list: SlidingList, _ shown: [RoomNID: RoomTraits?]) -> StreamPosition? {
        guard let traits = shown[glance.room.nid] else { return nil }
        let passes = list.filter.passes(
            glance.room.membership, traits, isDirect: memo.catalog.direct.contains(glance.room.room),
            tags: memo.catalog.tags?[glance.room.room] ?? [],
            parents: list.filter.spaces == nil ? [] : memo.catalog.parents(of: glance.room.room))
        return passes ? glance.newest : nil
    }

    /// Those of the rooms at hand that lists may show, with what they are where lists ask for it.
    private mutating func shownRooms() async throws -> [RoomNID: RoomTraits?] {
        memo.catalog.removals.subtract(scope.glances.keys)
        memo.catalog.departures.subtract(scope.glances.keys)
        var shown: [RoomNID: RoomTraits?] = [:]
        for (nid, glance) in scope.glances where isShown(glance) {
            shown[nid] = .some(nil)
            if memo.catalog.names[nid] == nil { memo.catalog.names[nid] = glance.room.room }
        }
        guard request.lists.contains(where: \.filter.asksForTraits) else { return shown }
        let traits = try await engine.traits(of: shown.keys.compactMap { scope.glances[$0] }, upTo: upTo)
        for nid in shown.keys { shown[nid] = traits[nid] }
        return shown
    }

    /// Whether a room is in lists at all. What the user has left is shown once; what others have removed the user from, until it is
    /// forgotten.
    private mutating func isShown(_ glance: RoomGlance) -> Bool {
        let room = glance.room
        switch room.membership {
        case .join, .knock:
            return true
        case .invite:
            return isWelcome(room)
        case .leave, .ban:
            if memo.catalog.forgotten.contains(room.nid) { return false }
            if room.membership == .ban || memo.catalog.senders[room.event].map({ $0 != request.user }) ?? false {
                memo.catalog.removals.insert(room.nid)
                return true
            }
            guard let since, room.position > since else { return false }
            memo.catalog.departures.insert(room.nid)
            return true
        }
    }

    /// Whether the user may subscribe to a room.
    private func isReadable(_ glance: RoomGlance) -> Bool {
        switch glance.room.membership {
        case .join, .knock: true
        case .invite: isWelcome(glance.room)
        case .leave, .ban: !memo.catalog.forgotten.contains(glance.room.nid)
        }
    }

    /// Whether the user wants to see an invite. Client-Server API §Invite permission, §Ignoring Users.
    private func isWelcome(_ room: FeedRoom) -> Bool {
        !memo.catalog.blocksInvites && memo.catalog.senders[room.event].map { !memo.catalog.ignored.contains($0) } ?? true
    }

    // MARK: Rendering

    private func render(_ memo: inout ListMemo) -> SlidingListAnswer {
        var answer = SlidingListAnswer(key: memo.list.key, count: memo.order.count)
        for range in memo.list.ranges {
            if range.coversAll(memo.order.count), memo.order.count > SlidingReader.sortedLimit {
                let rendered = memo.rendered ?? ids(memo.order.entries[...])
                memo.rendered = rendered
                answer.windows.append((range, rendered))
            } else {
                answer.windows.append((range, ids(memo.order.entries[range.indices(count: memo.order.count)])))
            }
        }
        return answer
    }

    private func ids(_ entries: ArraySlice<RoomOrder.Entry>) -> [UInt8] {
        var writer = JSONWriter(capacity: 48 * entries.count + 2)
        writer.array { w in for entry in entries { if let name = memo.catalog.names[entry.room] { w.string(name.text) } } }
        return writer.bytes
    }

    // MARK: The catalog

    /// Who sent the member events of the rooms that the user is not in.
    private mutating func readSenders() async throws {
        let missing = scope.glances.values.filter { $0.room.membership != .join && memo.catalog.senders[$0.room.event] == nil }
        guard !missing.isEmpty else { return }
        for event in try await events.events(missing.map(\.room.event).sorted()) { memo.catalog.senders[event.nid] = event.sender }
    }

    private mutating func readForgotten() async throws {
        let left = scope.glances.values.filter { $0.room.membership == .leave || $0.room.membership == .ban }.map(\.room.nid)
        let isOld = SyncTimer.now - memo.catalog.forgottenAt > RoomCatalog.forgettingInterval
        guard !left.isEmpty, scope.isWhole || isOld || left.contains(where: { !memo.catalog.removals.contains($0) }) else { return }
        let user = request.user
        memo.catalog.forgotten = try await engine.sync.database.read { try SlidingSyncStore.forgotten(among: left, by: user, on: $0) }
        memo.catalog.forgottenAt = SyncTimer.now
    }
}
