// Unread and highlight counts. Client-Server API §Receiving notifications.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle
import Synchronization

/// Counts what is unread when its reader comes to ask, not when it is sent: a message in a room of a thousand local users costs nothing
/// here until they sync, and then each of them one evaluation of push rules.
///
/// The tallies of users who ask stay in memory and advance event by event. They are stored now and then, those that many events went
/// into; what is not stored is counted again.
package final class UnreadService: Sendable {
    private let database: any Database
    private let rooms: RoomRegistry
    private let events: EventReader
    private let pushRules: PushRuleService
    private let commits: CommitStream
    private let logger: Logger
    private let shelf: Mutex<UnreadShelf>
    private let saving = Chore(after: .seconds(30))
    let parsed = ParsedEvents()

    /// As many events are looked at in one go.
    private static let chunkSize = 500
    /// At most as many events of a room are looked at that were never looked at before; older ones count as read.
    private static let scanLimit = 10_000
    /// A tally is stored after as many events.
    private static let unsavedLimit = 64

    /// - Parameter slotLimit: how many tallies, one per user and room, are kept in memory.
    package init(
        database: any Database, rooms: RoomRegistry, events: EventReader, pushRules: PushRuleService, commits: CommitStream, logger: Logger,
        slotLimit: Int = 50_000
    ) {
        self.database = database
        self.rooms = rooms
        self.events = events
        self.pushRules = pushRules
        self.commits = commits
        self.logger = logger
        shelf = Mutex(UnreadShelf(limit: slotLimit))
    }

    /// A joined room whose counts are wanted.
    package struct Question: Sendable {
        package let room: RoomID
        package let nid: RoomNID
        /// The user's newest member event, and where it stands.
        package let member: EventNID
        package let memberPosition: StreamPosition
        /// The room's newest event, as far as is known; nothing after it is to be looked at.
        package var newest: StreamPosition
        /// Events at hand, oldest first: all of the room after `floor`.
        package var known: [TimelineEvent] = []
        package var floor: StreamPosition

        package init(_ room: FeedRoom, newest: StreamPosition) {
            self.room = room.room
            nid = room.nid
            member = room.event
            memberPosition = room.position
            self.newest = newest
            floor = newest
        }
    }

    /// What is unread in these rooms for a user who is joined to them.
    ///
    /// - Parameters:
    ///   - upTo: the moment that is described: everything up to it is published.
    ///   - since: for `RoomUnread.isNews`.
    package func counts(
        _ questions: [Question], of user: UserID, ignoring ignoredUsers: Set<UserID>, upTo: StreamPosition, since: StreamPosition?
    ) async throws -> [RoomNID: RoomUnread] {
        let slots = try await slots(questions, of: user)
        var counts: [RoomNID: RoomUnread] = [:]
        counts.reserveCapacity(questions.count)
        for (question, slot) in zip(questions, slots) {
            do {
                try await advance(slot, question, of: user, ignoring: ignoredUsers, upTo: upTo)
            } catch let error as MatrixError where error.status == 404 {
                // A room that cannot be opened must not take the others with it.
                logger.warning("unread events were not counted", metadata: ["room": "\(question.room)", "error": "\(error)"])
                continue
            }
            counts[question.nid] = slot.counts(upTo: upTo, since: since)
        }
        return counts
    }

    /// Whether an event is unread, by the tally that `counts` has brought up to date.
    package func isUnread(_ event: TimelineEvent, for user: UserID) -> Bool {
        guard let slot = shelf.withLock({ $0.existing(user, event.roomNID) }) else { return false }
        let thread = ThreadMembership.thread(of: event)
        return slot.state.withLock { $0.tally?.isUnread(event.position, thread: thread) ?? false }
    }

    // MARK: Loading

    /// The tallies of these rooms, each loaded.
    private func slots(_ questions: [Question], of user: UserID) async throws -> [UnreadSlot] {
        let (slots, unsaved) = shelf.withLock { $0.slots(of: user, in: questions.map(\.nid)) }
        if !unsaved.isEmpty { await save(unsaved) }
        let missing = zip(questions, slots).filter { $0.1.evaluated == nil }
        if !missing.isEmpty { try await load(missing.map { ($0.0, $0.1) }, of: user) }
        return slots
    }

    private func load(_ missing: [(question: Question, slot: UnreadSlot)], of user: UserID) async throws {
        let nids = missing.map(\.question.nid)
        let (stored, receipts) = try await database.read { connection in
            (
                try UnreadStore.tallies(of: user, in: nids, on: connection),
                try UnreadStore.readPositions(of: user, in: nids, on: connection)
            )
        }
        var begin: [(question: Question, slot: UnreadSlot)] = []
        for (question, slot) in missing {
            let known = receipts[question.nid] ?? [:]
            if let tally = stored[question.nid].flatMap({ UnreadTally(encoded: $0) }) {
                slot.load(tally, receipts: known)
            } else if let unthreaded = known[""], unthreaded >= question.memberPosition {
                slot.load(UnreadTally(readUpTo: unthreaded), receipts: known)
            } else {
                begin.append((question, slot))
            }
        }
        guard !begin.isEmpty else { return }
        let members = try await events.events(begin.map(\.question.member))
        let byNumber = Dictionary(members.map { ($0.nid, $0) }) { first, _ in first }
        for (question, slot) in begin {
            let known = receipts[question.nid] ?? [:]
            let arrival = try await arrival(byNumber[question.member], after: known[""] ?? .zero)
            slot.load(UnreadTally(readUpTo: arrival ?? question.memberPosition), receipts: known)
        }
    }

    /// How many changes of a profile are followed back to the join; one with more counts from the last of them.
    private static let profileChangeLimit = 50

    /// Where the user came into the room, or a later place up to which everything is read.
    private func arrival(_ newest: TimelineEvent?, after read: StreamPosition) async throws -> StreamPosition? {
        var member = newest
        for _ in 0..<UnreadService.profileChangeLimit {
            guard let current = member, current.position > read, current.previousMembership == current.membership,
                let before = current.replaces
            else { break }
            member = try await events.event(before)
        }
        return member.map { max($0.position, read) }
    }

    // MARK: Looking at events

    private func advance(
        _ slot: UnreadSlot, _ question: Question, of user: UserID, ignoring ignoredUsers: Set<UserID>, upTo: StreamPosition
    ) async throws {
        var evaluation: UnreadEvaluation?
        var isBounded = false
        while true {
            guard let start = slot.evaluated else {
                // A receipt has made everything uncertain.
                try await load([(question, slot)], of: user)
                continue
            }
            guard start < min(question.newest, upTo) else { return }
            let chunk: [TimelineEvent]
            var end = upTo
            if question.floor <= start {
                chunk = question.known.filter { $0.position > start && $0.position <= upTo }
            } else {
                let limit = UnreadService.chunkSize
                chunk = try await events.timeline(question.nid, after: start, upTo: upTo, limit: limit)
                if chunk.count >= limit, let last = chunk.last {
                    if !isBounded, try await bound(slot, question, after: start, upTo: upTo) {
                        isBounded = true
                        continue
                    }
                    isBounded = true
                    end = last.position
                }
            }
            var steps: [UnreadTally.Step] = []
            if !chunk.isEmpty {
                if evaluation == nil { evaluation = try await prepare(question, of: user, ignoring: ignoredUsers) }
                if let evaluation { steps = try await evaluation.steps(of: chunk) }
            }
            let unsaved = slot.apply(steps, after: start, upTo: end, count: chunk.count)
            if unsaved >= UnreadService.unsavedLimit {
                shelf.withLock { $0.note(user, question.nid) }
                saving.isNeeded()
            }
            if end == upTo, slot.evaluated == upTo { return }
        }
    }

    /// Sees to it that no more events than the limit are looked at.
    private func bound(
        _ slot: UnreadSlot, _ question: Question, after start: StreamPosition, upTo: StreamPosition
    ) async throws -> Bool {
        let nid = question.nid
        let position = try await database.read { connection in
            try UnreadStore.position(
                beforeNewest: UnreadService.scanLimit, in: nid, after: start, upTo: upTo, on: connection)
        }
        guard let position else { return false }
        slot.skip(to: position)
        return true
    }

    private func prepare(
        _ question: Question, of user: UserID, ignoring ignoredUsers: Set<UserID>
    ) async throws -> UnreadEvaluation {
        try await UnreadEvaluation(
            user: user, rules: try await pushRules.ruleset(of: user), ignoredUsers: ignoredUsers,
            room: try await rooms.existing(question.room).current, database: database, events: events, parsed: parsed)
    }

    // MARK: Storing

    /// Stores the tallies that many events went into.
    package func save() async {
        await save(shelf.withLock { $0.takeNoted() })
    }

    private func save(_ slots: [(address: UnreadShelf.Address, slot: UnreadSlot)]) async {
        let rows = slots.compactMap { entry in entry.slot.takeUnsaved().map { (entry.address, $0) } }
        guard !rows.isEmpty else { return }
        do {
            try await database.write { connection in
                for (address, tally) in rows {
                    try UnreadStore.set(tally, of: address.user, in: address.room, on: connection)
                }
            }
        } catch {
            logger.warning("could not store unread counts, they will be counted again", metadata: ["error": "\(error)"])
        }
    }
}

extension UnreadService: ReceiptObserver {
    package func didMove(_ receipt: ReceiptKey, in room: RoomNID, to end: StreamPosition, at position: StreamPosition) {
        guard let slot = shelf.withLock({ $0.existing(receipt.user, room) }) else { return }
        slot.didMove(receipt.thread.isEmpty ? nil : receipt.thread, to: end, at: position)
    }
}

extension UnreadService: Service {
    /// Stores tallies now and then until the server stops. What was counted by push rules, or by followed threads, that have changed
    /// since cannot be counted again, so it is stored with the next round.
    package func run() async throws {
        let changes = commits.from(commits.position)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                await cancelWhenGracefulShutdown { [self] in
                    for await commit in changes { noteRuleChanges(in: commit) }
                }
            }
            group.addTask { [self] in await saving.run { [self] in await save() } }
            await group.waitForAll()
        }
        await save()
    }

    private func noteRuleChanges(in commit: Commit) {
        for change in commit.changes {
            switch change.kind {
            case .accountData(let user, nil), .threadSubscription(let user):
                shelf.withLock { $0.noteAll(of: user) }
                saving.isNeeded()
            default: continue
            }
        }
    }
}
