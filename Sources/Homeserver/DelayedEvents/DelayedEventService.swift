// Events that are sent later, unless somebody restarts or cancels them. MSC4140, as Synapse serves it: calls end by such events when a
// client disappears.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle
import Synchronization

/// Keeps delayed events in the database and sends each when its time has come, also over restarts.
package final class DelayedEventService: Sendable {
    /// How many events of one user may wait.
    package static let limitPerUser = 100
    /// Events that are sent in one go.
    private static let batchLimit = 100

    /// The longest delay, in milliseconds (`max_event_delay_duration`); 0: no event may be delayed.
    package let longestDelay: Int64

    private let database: any Database
    private let rooms: RoomRegistry
    private let membership: RoomMembership
    private let logger: Logger
    private let alarm = Alarm()
    /// The rooms for which state may wait, and whether those of the database are among them yet.
    private let roomsWithState = Mutex<(rooms: Set<RoomID>, isLoaded: Bool)>(([], false))

    package init(database: any Database, rooms: RoomRegistry, membership: RoomMembership, longestDelay: Duration, logger: Logger) {
        self.database = database
        self.rooms = rooms
        self.membership = membership
        self.longestDelay = Int64(longestDelay / .milliseconds(1))
        self.logger = logger
    }

    // MARK: What clients do

    /// Takes an event that is to be sent after `delay` milliseconds.
    ///
    /// - Returns: the id under which it is managed; who knows it may do so.
    /// - Throws: `M_FORBIDDEN` where no event may be delayed; an error of its own for a delay that is longer than allowed;
    ///   `M_LIMIT_EXCEEDED` for too many waiting events.
    package func schedule(_ draft: EventDraft, in room: RoomID, after delay: Int64, by requester: Requester) async throws -> String {
        guard longestDelay > 0 else { throw MatrixError.forbidden("Sending delayed events has been disallowed") }
        guard delay >= 0 else { throw MatrixError.invalidParam("The delay must not be negative") }
        guard delay <= longestDelay else {
            throw tooLong(delay)
        }
        let now = Timestamp.now
        let event = DelayedEventRow(
            id: SessionToken.randomLetters(24), user: requester.user, device: requester.device, room: room, type: draft.type,
            stateKey: draft.stateKey, content: draft.content, delay: delay, due: Timestamp(milliseconds: now.milliseconds + delay))
        if event.stateKey != nil { roomsWithState.withLock { _ = $0.rooms.insert(room) } }
        try await database.write { connection in
            let waiting = try DelayedEventStore.events(of: requester.user, on: connection)
            guard waiting.count < Self.limitPerUser else {
                throw MatrixError.limitExceeded(retryAfterMs: max(1, waiting[0].due.milliseconds - now.milliseconds))
            }
            try DelayedEventStore.insert(event, on: connection)
        }
        alarm.ring()
        return event.id
    }

    /// The waiting events of a user, the next one first.
    package func events(of user: UserID) async throws -> [DelayedEventRow] {
        try await database.read { try DelayedEventStore.events(of: user, on: $0) }
    }

    /// - Throws: `M_NOT_FOUND`.
    package func event(_ id: String) async throws -> DelayedEventRow {
        guard let event = try await database.read({ try DelayedEventStore.event(id, on: $0) }) else { throw Self.unknown }
        return event
    }

    /// - Throws: `M_NOT_FOUND`.
    package func cancel(_ id: String) async throws {
        guard try await database.write({ try DelayedEventStore.delete(id, on: $0) }) else { throw Self.unknown }
    }

    /// Begins the delay anew.
    ///
    /// - Throws: `M_NOT_FOUND`.
    package func restart(_ id: String) async throws {
        guard try await database.write({ try DelayedEventStore.restart(id, at: .now, on: $0) }) else { throw Self.unknown }
    }

    /// Sends a waiting event at once.
    ///
    /// - Throws: `M_NOT_FOUND`, or what keeps the event from being sent: it waits no longer even so.
    package func send(_ id: String) async throws {
        let event = try await event(id)
        do {
            try await deliver(event)
        } catch let refusal as MatrixError {
            try await database.write { try DelayedEventStore.delete(id, on: $0) }
            throw refusal
        }
    }

    private static var unknown: MatrixError { .notFound("Delayed event not found") }

    /// Names the maximum beside, where clients of calls look for it to try again with less.
    private func tooLong(_ delay: Int64) -> MatrixError {
        MatrixError(
            status: 400, errcode: "ORG.MATRIX.MSC4140_DELAY_TOO_LARGE",
            message: "The requested delay (\(delay)ms) exceeds the allowed maximum (\(longestDelay)ms)",
            extra: [
                "org.matrix.msc4140.errcode": "M_MAX_DELAY_EXCEEDED", "org.matrix.msc4140.max_delay": .int(longestDelay),
            ])
    }

    // MARK: Sending

    /// Sends an event and forgets it. Were the server to stop in between, it would be sent again under the same transaction id, and
    /// so not twice.
    private func deliver(_ event: DelayedEventRow) async throws {
        try await checkStanding(of: event.user)
        if event.type == "m.room.member", let target = event.stateKey {
            let user = try UserID(parsing: target.string)
            _ = try await membership.change(
                to: JSONObject(JSONDocument(parsing: event.content).root), of: user, in: event.room,
                by: MembershipRequester(user: event.user, device: event.device))
        } else {
            let draft = EventDraft(type: event.type, stateKey: event.stateKey, content: event.content, sender: event.user)
            let origin = EventOrigin(user: event.user, device: event.device, transactionID: "delayed-\(event.id)")
            _ = try await rooms.existing(event.room).send(draft, from: origin)
        }
        try await database.write { try DelayedEventStore.delete(event.id, on: $0) }
    }

    /// The account may have been stopped since it scheduled the event.
    private func checkStanding(of user: UserID) async throws {
        let account = try await database.read { try AccountStore.account(user, on: $0) }
        if account?.isSuspended == true { throw MatrixError.userSuspended }
        if account?.isLocked == true { throw MatrixError.userLocked }
    }

    /// Sends everything that is due.
    ///
    /// - Returns: when to look again; nil where nothing waits.
    private func sendDue() async throws -> Timestamp? {
        while true {
            let due = try await database.read { try DelayedEventStore.due(by: .now, limit: Self.batchLimit, on: $0) }
            for event in due {
                do {
                    try await deliver(event)
                } catch let error where error is MatrixError || error is IdentifierError {
                    logger.info("a delayed event was not accepted", metadata: ["room": "\(event.room)", "error": "\(error)"])
                    try await database.write { try DelayedEventStore.delete(event.id, on: $0) }
                }
            }
            if due.count < Self.batchLimit { return try await database.read { try DelayedEventStore.nextDue(on: $0) } }
        }
    }
}

extension DelayedEventService: Service {
    /// Sends events when their time has come, until the server stops.
    package func run() async throws {
        await alarm.run {
            try await sendDue()
        } onFailure: { error in
            logger.error("delayed events could not be sent; trying again in a second", metadata: ["error": "\(error)"])
        }
    }
}

/// Cancels the delayed state events that others have waiting for a piece of state which somebody has changed.
package struct DelayedStateCancellation: CommitHandler {
    package let name = "delayed_events"
    private let service: DelayedEventService

    package init(_ service: DelayedEventService) { self.service = service }

    package func begin(newest: StreamPosition) async throws -> StreamPosition { newest }

    package func concerns(_ change: Change) -> Bool {
        guard let event = change.event, event.isState else { return false }
        return service.mayHaveWaitingState(event.roomID)
    }

    package func take(_ commits: [Commit]) async throws -> CommitOutcome {
        let waiting = try await service.roomsWithWaitingState()
        guard !waiting.isEmpty else { return .nothing }
        let changes = commits.events.compactMap { event -> (StateKey, RoomID, UserID)? in
            guard let stateKey = event.stateKey, waiting.contains(event.roomID) else { return nil }
            return (StateKey(type: event.type, stateKey: stateKey), event.roomID, event.sender)
        }
        guard !changes.isEmpty else { return .nothing }
        return .write { connection in
            for (key, room, sender) in changes {
                try DelayedEventStore.deleteState(key, in: room, notFrom: sender, on: connection)
            }
        }
    }
}

extension DelayedEventService {
    /// What waits in the database is not known before it was asked.
    fileprivate func mayHaveWaitingState(_ room: RoomID) -> Bool {
        roomsWithState.withLock { !$0.isLoaded || $0.rooms.contains(room) }
    }

    /// The rooms for which state waits or waited since the start.
    fileprivate func roomsWithWaitingState() async throws -> Set<RoomID> {
        let known = roomsWithState.withLock { $0 }
        if known.isLoaded { return known.rooms }
        let stored = try await database.read { try DelayedEventStore.roomsWithState(on: $0) }
        return roomsWithState.withLock { state in
            state = (state.rooms.union(stored), true)
            return state.rooms
        }
    }
}
