// A server that is told things: one transaction after the other, as long as there is something to tell. Server-Server API §Transactions.

import MatrixCore
import Persistence
import Synchronization

/// Takes a transaction to a server.
package protocol TransactionCarrier: Sendable {
    /// Returns when the server has taken the transaction.
    func deliver(_ transaction: Transaction, to server: ServerName) async throws(FederationFailure)
}

/// Reads what a server has missed.
package protocol BacklogReader: Sendable {
    /// The rooms with news of ours after `position`, and up to where that is all there is.
    func missedRooms(
        of server: ServerName, after position: StreamPosition, limit: Int
    ) async throws -> (rooms: [MissedRoomRow], upTo: StreamPosition)

    /// What the server gets of a room in which it has missed something after `position`.
    func missedEvents(of server: ServerName, in room: MissedRoomRow, after position: StreamPosition) async throws -> [OutboundPDU]

    /// The changes of devices after `position`, up to where that is all there is, and whether there are more than the limit.
    func deviceUpdates(
        for server: ServerName, after position: StreamPosition, limit: Int
    ) async throws -> (updates: [OutboundDeviceUpdate], upTo: StreamPosition, isComplete: Bool)

    /// The first messages to devices after `position`.
    func messages(to server: ServerName, after position: StreamPosition, limit: Int) async throws -> [OutboundDeviceMessage]
}

/// Why a destination has stopped sending.
package enum DestinationFailure: Error {
    case unsent(FederationFailure)
    /// What the server has to be told could not be read.
    case unread(any Error)

    /// The server does answer, and takes nothing.
    var isRefusal: Bool {
        if case .unsent(.answered) = self { true } else { false }
    }
}

/// Carries out what its queue decides. There is one for each server that something waits for, and none for the others.
package actor Destination {
    package nonisolated let server: ServerName
    /// What waits. Whoever has news puts it in here without waiting for the actor.
    package nonisolated let queue: Mutex<TransactionQueue>
    private let carrier: any TransactionCarrier
    private let reader: any BacklogReader

    package init(_ server: ServerName, queue: TransactionQueue, carrier: any TransactionCarrier, reader: any BacklogReader) {
        self.server = server
        self.queue = Mutex(queue)
        self.carrier = carrier
        self.reader = reader
    }

    /// Sends until nothing waits any more.
    ///
    /// - Parameter delivered: is told of each transaction that has arrived.
    /// - Returns: why it has stopped before; nil when everything has arrived.
    package func run(delivered: @Sendable (Transaction) -> Void = { _ in }) async -> DestinationFailure? {
        var current: Transaction?
        do {
            for try await transaction in Transactions(of: self) {
                current = transaction
                try await carrier.deliver(transaction, to: server)
                queue.withLock { $0.didSend(transaction) }
                delivered(transaction)
                current = nil
            }
            return nil
        } catch {
            let failure: DestinationFailure = if let failure = error as? FederationFailure { .unsent(failure) } else { .unread(error) }
            queue.withLock { $0.didFail(current, isRefusal: failure.isRefusal) }
            return failure
        }
    }

    /// Carries out one step of the queue that is not sending.
    ///
    /// - Returns: a transaction, if it came to one.
    fileprivate func carryOut(_ step: TransactionQueue.Step) async throws -> Transaction? {
        switch step {
        case .send, .rest:
            return nil
        case .findMissedRooms(let position, let limit):
            let (rooms, end) = try await reader.missedRooms(of: server, after: position, limit: limit)
            queue.withLock { $0.foundMissedRooms(rooms, upTo: end) }
        case .fetchMissedEvents(let room, let position):
            let pdus = try await reader.missedEvents(of: server, in: room, after: position)
            return queue.withLock { $0.foundMissedEvents(pdus, in: room) }
        case .readDeviceUpdates(let position, let limit):
            let (updates, end, isComplete) = try await reader.deviceUpdates(for: server, after: position, limit: limit)
            queue.withLock { $0.foundDeviceUpdates(updates, upTo: end, isComplete: isComplete) }
        case .readMessages(let position, let limit):
            do {
                let messages = try await reader.messages(to: server, after: position, limit: limit)
                queue.withLock { $0.foundMessages(messages, isComplete: messages.count < limit) }
            } catch {
                queue.withLock { $0.noteMessages() }
                throw error
            }
        }
        return nil
    }
}

/// The transactions of a destination: ends when nothing waits any more.
package struct Transactions: AsyncSequence {
    package typealias Element = Transaction

    private let destination: Destination

    package init(of destination: Destination) {
        self.destination = destination
    }

    package func makeAsyncIterator() -> Iterator { Iterator(destination: destination) }

    package struct Iterator: AsyncIteratorProtocol {
        let destination: Destination

        /// - Throws: what reading has thrown, and `CancellationError`.
        package func next() async throws -> Transaction? {
            while true {
                try Task.checkCancellation()
                let step = destination.queue.withLock { $0.next(at: .now) }
                switch step {
                case .send(let transaction): return transaction
                case .rest: return nil
                default:
                    if let transaction = try await destination.carryOut(step) { return transaction }
                }
            }
        }
    }
}
