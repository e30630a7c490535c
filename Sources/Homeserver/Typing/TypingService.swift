// Who is typing: told by clients, ended by the clock, shown by sync. Client-Server API §Typing notifications.

import MatrixCore
import Persistence
import Rooms
import ServiceLifecycle
import Synchronization

/// Keeps who is typing, in the memory of this process, and publishes each change without storing it.
package final class TypingService: Sendable {
    private struct State {
        var board = TypingBoard()
        /// Waits for the end of somebody's typing, and for which.
        var alarm: (end: Duration, task: Task<Void, Never>)?
    }

    private let journal: Journal
    private let rooms: RoomRegistry
    private let clock: TypingClock
    private let state = Mutex(State())

    /// How long somebody is typing whose client does not say, and at most.
    package static let defaultTimeout = Duration.seconds(30)
    package static let longestTimeout = Duration.seconds(120)

    package init(journal: Journal, rooms: RoomRegistry, clock: TypingClock = .continuous) {
        self.journal = journal
        self.rooms = rooms
        self.clock = clock
    }

    /// Notes that `user` is typing for `timeout`, at most `longestTimeout`.
    ///
    /// - Throws: `M_FORBIDDEN` where the user is not in the room.
    package func start(_ user: UserID, in room: RoomID, for timeout: Duration?) async throws {
        try await requireJoined(user, in: room)
        let timeout = max(.zero, min(timeout ?? TypingService.defaultTimeout, TypingService.longestTimeout))
        let end = clock.now() + timeout
        let isNew = state.withLock { $0.board.start(user, in: room, until: end) }
        setAlarm(for: end)
        if isNew { await publish(room) }
    }

    /// - Throws: `M_FORBIDDEN` where the user is not in the room.
    package func stop(_ user: UserID, in room: RoomID) async throws {
        try await requireJoined(user, in: room)
        await end(user, in: room)
    }

    /// When the last change in a room was published, and who is typing there.
    package func state(in room: RoomID) -> (changedAt: StreamPosition, users: [UserID]) {
        state.withLock { $0.board.state(in: room) }
    }

    private func requireJoined(_ user: UserID, in room: RoomID) async throws {
        guard try await rooms.room(room)?.current.membership(of: user) == .join else {
            throw MatrixError.forbidden("User \(user) not in room \(room)")
        }
    }

    // MARK: Ends

    private func end(_ user: UserID, in room: RoomID) async {
        if state.withLock({ $0.board.stop(user, in: room) }) { await publish(room) }
    }

    /// Tells the readers. The board knows the position before any of them hears of it.
    private func publish(_ room: RoomID) async {
        await journal.publishTransient { [self] position in
            state.withLock { $0.board.publish(room, at: position) }
            return Change(position: position, kind: .typing(room: room))
        }
    }

    /// Sees to it that `end` is noticed. One task sleeps, until the earliest end.
    private func setAlarm(for end: Duration) {
        state.withLock { state in
            if let alarm = state.alarm, alarm.end <= end { return }
            state.alarm?.task.cancel()
            state.alarm = (end, Task { [weak self] in await self?.sleep(until: end) })
        }
    }

    private func sleep(until end: Duration) async {
        while clock.now() < end {
            do { try await clock.sleep(end - clock.now()) } catch { return }
        }
        await expire()
    }

    /// Ends what is over. Called by the alarm.
    private func expire() async {
        let (changed, next) = state.withLock { state in
            state.alarm = nil
            return (state.board.expire(at: clock.now()), state.board.nextEnd)
        }
        if let next { setAlarm(for: next) }
        for room in changed { await publish(room) }
    }
}

extension TypingService: Service {
    /// Watches who leaves: nobody types in a room where they are not.
    package func run() async throws {
        let commits = journal.commits.from(journal.position)
        await cancelWhenGracefulShutdown { [self] in
            for await commit in commits {
                for change in commit.changes {
                    guard case .event(let event) = change.kind, let membership = event.membership, membership != .join,
                        let member = event.stateKey
                    else { continue }
                    await end(UserID(trusted: member.string), in: event.roomID)
                }
            }
        }
        state.withLock { $0.alarm?.task.cancel() }
    }
}
