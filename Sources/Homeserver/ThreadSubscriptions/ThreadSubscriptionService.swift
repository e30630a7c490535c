// Which threads a user follows. MSC4306 and MSC4308, as Synapse serves them.

import MatrixCore
import Persistence
import Rooms

/// Subscribes users to threads.
package struct ThreadSubscriptionService: Sendable {
    private let database: any Database
    private let journal: Journal
    private let history: RoomHistory
    /// Changes of one subscription happen one after the other.
    private let moves = KeyedQueue<ThreadSubscriptionKey>()

    package init(database: any Database, journal: Journal, history: RoomHistory) {
        self.database = database
        self.journal = journal
        self.history = history
    }

    /// Whether the client subscribed by itself; nil where the user is not subscribed.
    ///
    /// - Throws: `M_NOT_FOUND` for a thread that the user cannot see.
    package func isAutomatic(_ key: ThreadSubscriptionKey) async throws -> Bool? {
        _ = try await event(key.root, in: view(of: key), named: "thread root")
        guard case .subscribed(let automatic)? = try await subscription(key) else { return nil }
        return automatic
    }

    /// Subscribes a user. Who is subscribed by hand stays so.
    ///
    /// - Parameter cause: the event of the thread because of which the client subscribes by itself; nil where the user wants it.
    /// - Throws: `M_NOT_FOUND` for a thread or cause that the user cannot see; `M_NOT_IN_THREAD` for a cause that is not in it;
    ///   `M_CONFLICTING_UNSUBSCRIPTION` where the user unsubscribed after the cause.
    package func subscribe(_ key: ThreadSubscriptionKey, because cause: EventID?) async throws {
        let view = try await view(of: key)
        _ = try await event(key.root, in: view, named: "thread root")
        var causePosition: StreamPosition?
        if let cause {
            let event = try await event(cause, in: view, named: "cause")
            guard event.thread == key.root else { throw ThreadSubscriptionService.notInThread }
            causePosition = event.position
        }
        try await moves.run(key) {
            switch try await subscription(key) {
            case .subscribed(automatic: false)?: return
            case .subscribed(automatic: true)? where causePosition != nil: return
            case .unsubscribed(let end)?:
                if let causePosition, causePosition <= end { throw ThreadSubscriptionService.conflict }
            case .subscribed?, nil: break
            }
            try await set(.subscribed(automatic: causePosition != nil), key)
        }
    }

    /// Ends a subscription; does nothing where there is none.
    ///
    /// - Throws: `M_NOT_FOUND` for a thread that the user cannot see.
    package func unsubscribe(_ key: ThreadSubscriptionKey) async throws {
        _ = try await event(key.root, in: view(of: key), named: "thread root")
        try await moves.run(key) {
            guard case .subscribed? = try await subscription(key) else { return }
            try await set(.unsubscribed(at: journal.position), key)
        }
    }

    /// The newest changes of a user's subscriptions with `after < position <= upTo`, at most `limit`, newest first.
    package func changes(
        of user: UserID, after: StreamPosition, upTo: StreamPosition, limit: Int
    ) async throws -> [ThreadSubscriptionRow] {
        try await database.read { connection in
            try ThreadSubscriptionStore.changes(of: user, after: after, upTo: upTo, limit: limit, on: connection)
        }
    }

    // MARK: Steps

    private func view(of key: ThreadSubscriptionKey) async throws -> RoomView {
        do {
            return try await history.view(of: key.room, for: key.user)
        } catch let error as MatrixError where error.status == 403 {
            throw MatrixError.notFound("No such thread root")
        }
    }

    private func event(_ id: EventID, in view: RoomView, named name: String) async throws -> TimelineEvent {
        do {
            return try await history.event(id, in: view)
        } catch let error as MatrixError where error.status == 404 || error.status == 403 {
            throw MatrixError.notFound("No such \(name)")
        }
    }

    private func subscription(_ key: ThreadSubscriptionKey) async throws -> ThreadSubscription? {
        try await database.read { try ThreadSubscriptionStore.subscription(key, on: $0) }
    }

    private func set(_ subscription: ThreadSubscription, _ key: ThreadSubscriptionKey) async throws {
        try await journal.append(JournalBatch(records: [ThreadSubscriptionMove(key: key, subscription: subscription)]))
    }

    private static let notInThread = MatrixError(
        status: 400, errcode: "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD", message: "Automatic subscription must use an event in the thread")
    private static let conflict = MatrixError(
        status: 409, errcode: "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION",
        message: "Automatic subscription obsoleted by an unsubscription request.")
}

/// The record of a subscription that changes. Writing it twice at one position changes nothing more.
struct ThreadSubscriptionMove: JournalRecord {
    let key: ThreadSubscriptionKey
    let subscription: ThreadSubscription

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try ThreadSubscriptionStore.set(subscription, key, at: position, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        Change(position: position, kind: .threadSubscription(user: key.user))
    }
}
