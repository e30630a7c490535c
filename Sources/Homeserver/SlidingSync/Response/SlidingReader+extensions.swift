// What the extensions have to say. MSC3885 (to-device), MSC3884 (keys), MSC3959 (account data), MSC3960 (receipts), MSC3961 (typing),
// MSC4308 (thread subscriptions).

import MatrixCore
import Persistence
import Rooms

extension SlidingReader {
    /// - Parameter considered: the rooms shown in which something may be new.
    mutating func readExtensions(
        _ answer: inout SlidingAnswer, _ considered: Set<RoomNID>, _ glances: [RoomNID: RoomGlance]
    ) async throws {
        let wanted = request.extensions
        if let toDevice = wanted.toDevice { answer.extensions.toDevice = try await self.toDevice(toDevice) }
        if wanted.wantsEndToEnd { answer.extensions.endToEnd = try await endToEnd() }
        if let scope = wanted.accountData { answer.extensions.accountData = try await accountData(in: scope, considered, glances) }
        if let scope = wanted.receipts {
            answer.extensions.receipts = try await receipts(in: scope, considered, glances, answer.rooms)
        }
        if let scope = wanted.typing { answer.extensions.typing = typing(in: scope, considered, glances, answer.rooms) }
        if let limit = wanted.threadSubscriptionLimit, scope.hasThreadSubscriptions, let service = engine.threadSubscriptions {
            let rows = try await service.changes(
                of: request.user, after: since ?? .zero, upTo: upTo, limit: limit)
            answer.extensions.threadSubscriptions = rows
            answer.extensions.hasMoreThreadSubscriptions = rows.count == limit
        }
    }

    // MARK: What belongs to no room

    private func toDevice(_ wanted: SlidingExtensions.ToDevice) async throws -> (next: StreamPosition, events: [[UInt8]]) {
        let since = wanted.since ?? .zero
        // A position from the future is one from before the database was set back: it comes true again.
        guard let device = request.device, since < upTo else { return (max(since, upTo), []) }
        let page = try await engine.sync.toDevice.pending(
            for: request.user, device: device, after: since, upTo: upTo, limit: wanted.limit)
        return (page.next, page.events)
    }

    private func endToEnd() async throws -> SlidingExtensionAnswers.EndToEnd {
        var answer = SlidingExtensionAnswers.EndToEnd()
        if let since {
            answer.lists =
                scope.hasDeviceLists
                ? try await engine.sync.deviceLists.changes(for: request.user, after: since, upTo: upTo) : ([], [])
        }
        if let device = request.device {
            answer.counts = try await engine.sync.keys.keyCounts(of: DeviceAddress(user: request.user, device: device))
            answer.hasNewCounts = scope.hasKeys
        }
        return answer
    }

    // MARK: Account data

    private mutating func accountData(
        in wanted: SlidingExtensions.Scope, _ considered: Set<RoomNID>, _ glances: [RoomNID: RoomGlance]
    ) async throws -> (global: [AccountDataItem], rooms: [RoomID: [AccountDataItem]]) {
        let service = engine.sync.accountData
        let news = scope.hasAccountData ? try await service.changes(for: request.user, after: since, upTo: upTo) : []
        var byRoom: [RoomID: [AccountDataItem]] = [:]
        for item in news { if let room = item.room { byRoom[room, default: []].append(item) } }

        var answer: [RoomID: [AccountDataItem]] = [:]
        var everything: [RoomID: [AccountDataItem]]?
        for nid in considered {
            guard let glance = glances[nid], let config = windows.config(of: nid), windows.contains(nid, glance.room.room, in: wanted)
            else { continue }
            let room = glance.room.room
            var state = state(of: nid) ?? SentRoom(config: config)
            let mark = since == nil ? SentMark.never : state.accountData
            switch mark {
            case .live:
                continue
            case .upTo(let position):
                answer[room] = try await service.changes(for: request.user, after: position, upTo: upTo).filter { $0.room == room }
            case .never where since == nil:
                answer[room] = byRoom[room]
            case .never:
                if everything == nil {
                    let items = try await service.changes(for: request.user, after: nil, upTo: upTo)
                    everything = items.reduce(into: [:]) { rooms, item in
                        if let room = item.room { rooms[room, default: []].append(item) }
                    }
                }
                answer[room] = everything?[room]
            }
            if answer[room]?.isEmpty == true { answer[room] = nil }
            state.accountData = .live
            updates[nid] = state
        }
        if let since, !byRoom.isEmpty { deliver(byRoom, in: wanted, since, to: &answer) }
        return (news.filter { $0.room == nil }, answer)
    }

    /// Adds what is new in the rooms that the client follows, and notes the rooms that it has lost sight of.
    private mutating func deliver(
        _ news: [RoomID: [AccountDataItem]], in wanted: SlidingExtensions.Scope, _ since: StreamPosition,
        to answer: inout [RoomID: [AccountDataItem]]
    ) {
        let numbers = engine.sync.state.withLock { state in
            news.keys.compactMap { room in state.number(of: room, for: request.user).map { (room, $0) } }
        }
        for (room, nid) in numbers {
            guard var state = state(of: nid), state.accountData == .live, answer[room] == nil else { continue }
            if windows.contains(nid, room, in: wanted) {
                answer[room] = news[room]
            } else {
                state.accountData = .upTo(since)
                updates[nid] = state
            }
        }
    }

    // MARK: Receipts

    private mutating func receipts(
        in wanted: SlidingExtensions.Scope, _ considered: Set<RoomNID>, _ glances: [RoomNID: RoomGlance], _ rooms: [SlidingRoom]
    ) async throws -> [RoomID: [UInt8]] {
        let service = engine.sync.receipts
        let told = Dictionary(rooms.map { ($0.nid, $0) }) { first, _ in first }
        var answer: [RoomID: [UInt8]] = [:]
        var live: [RoomID] = []
        for nid in considered {
            guard let glance = glances[nid], glance.room.membership == .join, let config = windows.config(of: nid),
                windows.contains(nid, glance.room.room, in: wanted)
            else { continue }
            let room = glance.room.room
            var state = state(of: nid) ?? SentRoom(config: config)
            let isAnew = since == nil || told[nid].map { $0.isInitial || $0.isExpanded } ?? false
            switch isAnew ? SentMark.never : state.receipts {
            case .live:
                if let since, glance.hasReceipts(after: since) { live.append(room) }
                continue
            case .upTo(let position):
                answer.merge(try await service.receipts(in: [room], for: request.user, after: position, upTo: upTo)) { _, new in new }
            case .never:
                // Those of a large room would be many: the client gets its own, and those at the events that it sees.
                let shown = told[nid]?.timeline?.events.map(\.id) ?? []
                answer[room] = try await service.receipts(in: room, at: shown, for: request.user, upTo: upTo)
            }
            state.receipts = .live
            updates[nid] = state
        }
        guard let since else { return answer }
        answer.merge(try await service.receipts(in: live, for: request.user, after: since, upTo: upTo)) { _, new in new }
        for (nid, glance) in scope.glances where glance.hasReceipts(after: since) {
            guard var state = state(of: nid), state.receipts == .live, !windows.contains(nid, glance.room.room, in: wanted)
            else { continue }
            state.receipts = .upTo(since)
            updates[nid] = state
        }
        return answer
    }

    // MARK: Typing

    private func typing(
        in wanted: SlidingExtensions.Scope, _ considered: Set<RoomNID>, _ glances: [RoomNID: RoomGlance], _ rooms: [SlidingRoom]
    ) -> [RoomID: [UserID]] {
        let new = Set(rooms.filter(\.isInitial).map(\.nid))
        var answer: [RoomID: [UserID]] = [:]
        for nid in considered {
            guard let glance = glances[nid], glance.room.membership == .join, windows.contains(nid, glance.room.room, in: wanted)
            else { continue }
            let isNew = since == nil || new.contains(nid)
            guard isNew || since.map({ glance.hasTyping(after: $0) }) == true else { continue }
            let (changedAt, users) = engine.sync.typing.state(in: glance.room.room)
            if isNew {
                if !users.isEmpty { answer[glance.room.room] = users }
            } else if let since, changedAt > since {
                answer[glance.room.room] = users
            }
        }
        return answer
    }
}
