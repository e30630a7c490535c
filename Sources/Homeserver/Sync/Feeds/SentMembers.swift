// Which member events a device has got already. Client-Server API §Lazy-loading room members.

import MatrixCore
import Persistence

/// The member events that were sent to one device, so that they are not sent again ("redundant membership events").
///
/// Each is noted with the token of the response that carried it. It counts as received only when the client comes back
/// with that token or a later one: what got lost on the way is sent again.
package struct SentMembers {
    private var sent: RecentCache<EventNID, StreamPosition>

    /// How many events are remembered for a device; what is forgotten is merely sent once more.
    package static let limit = 4096

    package init(limit: Int = SentMembers.limit) {
        sent = RecentCache(capacity: limit)
    }

    /// Whether a client that presents `since` has the event.
    package mutating func isKnown(_ event: EventNID, since: StreamPosition?) -> Bool {
        guard let since, let position = sent.value(for: event) else { return false }
        return position <= since
    }

    /// - Parameter nextBatch: of the response that carries the event.
    package mutating func note(_ event: EventNID, nextBatch: StreamPosition) {
        // The earliest response that has it is the one after which it is known.
        if let earlier = sent.value(for: event), earlier <= nextBatch { return }
        sent.insert(nextBatch, for: event)
    }

    /// The client begins anew and may have forgotten everything.
    package mutating func removeAll() {
        sent.removeAll { _ in true }
    }
}
