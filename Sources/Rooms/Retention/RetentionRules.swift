// Which messages are too old to be shown, by the room's policy or the operator's. MSC1763, as Synapse applies it.

import MatrixCore
import Persistence
import Synchronization

/// What is decided about the age of messages. Where the operator has not asked for it, nothing is looked at.
package final class RetentionRules: Sendable {
    package let isEnabled: Bool
    package let standard: RetentionPolicy
    /// The policies of rooms by the event that sets them.
    private let known = Mutex(RecentCache<EventNID, RetentionPolicy>(capacity: 1000))

    /// For a server that keeps messages for ever.
    package static let none = RetentionRules(isEnabled: false, standard: RetentionPolicy())

    /// - Parameter standard: for what a room leaves open.
    package init(isEnabled: Bool, standard: RetentionPolicy) {
        self.isEnabled = isEnabled
        self.standard = standard
    }

    /// What a room says itself.
    package func ownPolicy(of room: RoomSnapshot, in events: EventReader) async throws -> RetentionPolicy? {
        guard let entry = room.entry(.retention) else { return nil }
        if let policy = known.withLock({ $0.value(for: entry.nid) }) { return policy }
        let policy = RetentionPolicy(content: try await events.event(entry.nid)?.contentIfReadable)
        known.withLock { $0.insert(policy, for: entry.nid) }
        return policy
    }

    /// Messages from before this time are shown to nobody; nil: all may be shown.
    package func horizon(of room: RoomSnapshot, in events: EventReader, now: Timestamp = .now) async throws -> Timestamp? {
        guard isEnabled else { return nil }
        let policy = try await ownPolicy(of: room, in: events) ?? RetentionPolicy()
        return policy.completed(by: standard).maxLifetime.map { now.advanced(byMilliseconds: -$0) }
    }
}

extension TimelineEvent {
    /// Whether the event is a message from before `horizon`.
    package func isBeyond(_ horizon: Timestamp?) -> Bool {
        guard let horizon, !isState else { return false }
        return timestamp < horizon
    }
}
