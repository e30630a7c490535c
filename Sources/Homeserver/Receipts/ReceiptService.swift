// Receipts: how far people have read. Client-Server API §Receipts.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Moves receipts forward, and shows them to sync.
package final class ReceiptService: Sendable {
    private struct State {
        var window: ReceiptWindow
        /// Where receipts stand that moved lately.
        var positions: RecentCache<Slot, StreamPosition>
    }

    /// One receipt of one room.
    struct Slot: Hashable {
        let room: RoomNID
        let key: ReceiptKey
    }

    private let database: any Database
    private let journal: Journal
    let events: EventReader
    private let history: RoomHistory
    private let observer: (any ReceiptObserver)?
    private let state: Mutex<State>
    /// One move of a receipt at a time.
    private let moves = KeyedQueue<Slot>()

    /// - Parameter observer: is told of every receipt that moves.
    package init(
        database: any Database, journal: Journal, history: RoomHistory, events: EventReader, observer: (any ReceiptObserver)? = nil,
        windowLimit: Int = 10_000
    ) {
        self.database = database
        self.journal = journal
        self.history = history
        self.events = events
        self.observer = observer
        state = Mutex(
            State(
                window: ReceiptWindow(startingAt: journal.position, limit: windowLimit),
                positions: RecentCache(capacity: 20_000)))
    }

    // MARK: Sending

    /// Moves a user's receipt to an event. One that is not ahead of where the receipt stands changes nothing, nor does an event
    /// that is unknown or that the user may not see.
    ///
    /// - Parameter thread: the root of a thread, `main`, or nil for the unthreaded receipt.
    /// - Throws: `M_FORBIDDEN` where the user is not in the room; `M_INVALID_PARAM` where the event is not in the thread.
    package func send(
        _ type: ReceiptType, at eventID: EventID, thread: ByteString?, in room: RoomID, by user: UserID
    ) async throws {
        let view = try await memberView(of: room, for: user)
        guard let event = try await visibleEvent(eventID, in: view) else { return }
        if let thread, !ThreadMembership.allows(thread, at: event) {
            throw MatrixError.invalidParam("event_id \(eventID) is not related to thread \(thread)")
        }
        let key = ReceiptKey(user: user, type: type.name, thread: thread ?? "")
        let mark = ReceiptMark(event: event.id, eventPosition: event.position, time: .now)
        try await advance(Slot(room: view.snapshot.nid, key: key), in: room, to: mark)
    }

    /// Moves a receipt, if only forward.
    func advance(_ slot: Slot, in room: RoomID, to mark: ReceiptMark) async throws {
        try await moves.run(slot) {
            if let current = try await position(of: slot), current >= mark.eventPosition { return }
            try await move(slot, in: room, to: mark)
        }
    }

    /// The room as a joined user reads it.
    func memberView(of room: RoomID, for user: UserID) async throws -> RoomView {
        let view = try await history.view(of: room, for: user)
        guard case .member = view.standing else { throw MatrixError.forbidden("User \(user) not in room \(room)") }
        return view
    }

    func visibleEvent(_ id: EventID, in view: RoomView) async throws -> TimelineEvent? {
        do {
            return try await history.event(id, in: view)
        } catch let error as MatrixError where error.status == 404 {
            return nil
        }
    }

    /// Where a receipt stands.
    private func position(of slot: Slot) async throws -> StreamPosition? {
        if let known = state.withLock({ $0.positions.value(for: slot) }) { return known }
        return try await database.read { try ReceiptStore.eventPosition(slot.key, in: slot.room, on: $0) }
    }

    private func move(_ slot: Slot, in room: RoomID, to mark: ReceiptMark) async throws {
        let record = ReceiptMove(room: room, nid: slot.room, key: slot.key, mark: mark)
        try await journal.append(
            JournalBatch(
                records: [record],
                committed: { [self] positions in
                    let entry = ReceiptWindow.Entry(position: positions.upperBound, room: room, key: slot.key, mark: mark)
                    state.withLock { state in
                        state.window.append(entry)
                        state.positions.insert(mark.eventPosition, for: slot)
                    }
                    observer?.didMove(slot.key, in: slot.room, to: mark.eventPosition, at: positions.upperBound)
                }))
    }

    // MARK: What sync asks

    /// The receipts of `rooms` that `viewer` may see: those that moved after `after` up to `upTo`, or with no `after` all.
    ///
    /// - Returns: for each room that has some, the content of an `m.receipt` event, a JSON object.
    package func receipts(
        in rooms: [RoomID], for viewer: UserID, after: StreamPosition?, upTo: StreamPosition
    ) async throws -> [RoomID: [UInt8]] {
        if rooms.isEmpty { return [:] }
        if let after, let recent = state.withLock({ $0.window.entries(after: after, upTo: upTo) }) {
            return recent.isEmpty ? [:] : ReceiptService.render(recent, of: rooms, for: viewer)
        }
        let rows = try await database.read { connection in
            try ReceiptStore.receipts(in: rooms, visibleTo: viewer, after: after ?? .zero, upTo: upTo, on: connection)
        }
        return Dictionary(grouping: rows, by: \.room).mapValues { rows in
            ReceiptContent.render(rows.map { ($0.key, $0.mark) })
        }
    }

    /// The receipts of one room that `viewer` may see and that stand at one of these events, and all of the viewer's own.
    ///
    /// - Returns: the content of an `m.receipt` event; nil where there are none.
    package func receipts(
        in room: RoomID, at events: [EventID], for viewer: UserID, upTo: StreamPosition
    ) async throws -> [UInt8]? {
        let rows = try await database.read { connection in
            try ReceiptStore.receipts(in: room, at: events, visibleTo: viewer, upTo: upTo, on: connection)
        }
        return rows.isEmpty ? nil : ReceiptContent.render(rows.map { ($0.key, $0.mark) })
    }

    /// The receipts that moved after `after` up to `upTo`, as far as memory has them.
    package func recent(after: StreamPosition, upTo: StreamPosition) -> [ReceiptWindow.Entry] {
        state.withLock { $0.window.entries(after: after, upTo: upTo) } ?? []
    }

    /// The newest receipt of each key, in the wanted rooms, private ones of other people left out.
    private static func render(
        _ entries: [ReceiptWindow.Entry], of rooms: [RoomID], for viewer: UserID
    ) -> [RoomID: [UInt8]] {
        var found: [RoomID: [ReceiptKey: ReceiptMark]] = [:]
        for entry in entries where entry.key.type != ReceiptType.readPrivate.name || entry.key.user == viewer {
            found[entry.room, default: [:]][entry.key] = entry.mark
        }
        guard !found.isEmpty else { return [:] }
        var contents: [RoomID: [UInt8]] = [:]
        for room in rooms {
            if let receipts = found[room] { contents[room] = ReceiptContent.render(receipts.map { ($0.key, $0.value) }) }
        }
        return contents
    }
}
