// What relates to recent events, in memory.

import MatrixCore
import Persistence
import Synchronization

/// What relates to one event, the same for all who read it. Client-Server API §Aggregations of child events.
package struct Aggregation: Sendable {
    /// The newest valid replacement.
    var edit: EventNID?
    var thread: Thread?
    /// The events that refer to this one, oldest first.
    var references: [Reference] = []

    struct Thread: Sendable {
        let replyCount: Int
        let latest: EventNID
        /// Who replied, and how often; nil when they are too many to keep.
        let participants: [UserID: Int]?
    }

    struct Reference: Sendable {
        let event: EventID
        let sender: UserID
    }

    var isEmpty: Bool { edit == nil && thread == nil && references.isEmpty }

    /// About how many bytes the value holds.
    var cost: Int { 160 + references.count * 96 + (thread?.participants?.count ?? 0) * 64 }
}

/// Keeps for the events that are read most what relates to them, nearly always nothing. So a page of new events asks no database.
///
/// An event is forgotten when something new relates to it. What was read before that and comes in after it is not kept.
package final class AggregationCache: Sendable {
    private let values: CostCache<EventID, Aggregation>
    /// How often events were forgotten, by a part of their hash: one busy thread does not keep everything else out.
    private let generations = Mutex([Int](repeating: 0, count: 256))

    package init(byteLimit: Int) { values = CostCache(limit: byteLimit) }

    subscript(event: EventID) -> Aggregation? { values[event] }

    /// To be asked for before reading from the database.
    var generation: [Int] { generations.withLock { $0 } }

    /// Keeps what was read since `generation`.
    func insert(_ value: Aggregation, for event: EventID, generation: [Int]) {
        let part = AggregationCache.part(of: event)
        generations.withLock { current in
            guard current[part] == generation[part] else { return }
            values.insert(value, for: event, cost: value.cost)
        }
    }

    /// An event that is durable since now. What relates to it is published after it.
    func insertNew(_ event: EventID) {
        let none = Aggregation()
        values.insert(none, for: event, cost: none.cost)
    }

    /// Something relates to the event now, durably, or no longer does.
    func forget(_ event: EventID) {
        generations.withLock { current in
            current[AggregationCache.part(of: event)] += 1
            values.remove(event)
        }
    }

    private static func part(of event: EventID) -> Int {
        var hasher = Hasher()
        hasher.combine(event)
        return hasher.finalize() & 255
    }
}
