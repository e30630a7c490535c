// What waits in a room's inbox.

import MatrixCore
import Persistence

/// A command in a room's inbox.
struct RoomCommand: Sendable {
    enum Kind: Sendable {
        case send(
            EventOrigin, @Sendable (RoomSnapshot) throws -> [EventDraft], RoomCompanion?, CheckedContinuation<[EventID], any Error>)
        case receive(RemoteEvent, @Sendable (Result<Receipt, any Error>) -> Void)
        case work(@Sendable () async throws -> Void, CheckedContinuation<Void, any Error>)
    }

    let kind: Kind
    /// It has met a conflict once.
    var isRepeated = false

    init(
        origin: EventOrigin, make: @escaping @Sendable (RoomSnapshot) throws -> [EventDraft], companion: RoomCompanion? = nil,
        continuation: CheckedContinuation<[EventID], any Error>
    ) {
        kind = .send(origin, make, companion, continuation)
    }

    init(remote: RemoteEvent, answer: @escaping @Sendable (Result<Receipt, any Error>) -> Void) {
        kind = .receive(remote, answer)
    }

    init(work: @escaping @Sendable () async throws -> Void, continuation: CheckedContinuation<Void, any Error>) {
        kind = .work(work, continuation)
    }

    /// It makes a batch of its own.
    var isAlone: Bool {
        switch kind {
        case .send(_, _, let companion, _): companion != nil
        case .receive: false
        case .work: true
        }
    }

    var remote: RemoteEvent? {
        if case .receive(let remote, _) = kind { remote } else { nil }
    }

    func fail(_ error: any Error) {
        switch kind {
        case .send(_, _, _, let continuation): continuation.resume(throwing: error)
        case .receive(_, let answer): answer(.failure(error))
        case .work(_, let continuation): continuation.resume(throwing: error)
        }
    }

    func repeated() -> RoomCommand {
        var command = self
        command.isRepeated = true
        return command
    }
}

/// What a command for new events ends with: their ids.
typealias RoomOutcome = Result<[EventID], any Error>

/// Makes what becomes durable together with the events of a command, given the room's state before them, and their ids.
typealias RoomCompanion = @Sendable (_ before: RoomSnapshot, _ ids: [EventID]) async throws -> RoomBatchCompanion

/// A batch, and what is to be done when the database refuses it because someone else was quicker; it may be made again then.
struct RoomBatchCompanion: Sendable {
    let batch: JournalBatch
    let refused: @Sendable () -> Void
}
