// An event of another server on its way into a room, and what becomes of it. Server-Server API §Checks performed on receipt of a PDU.

import MatrixCore
import Persistence
import Synchronization

/// An event that came from another server, with steps 1 to 3 of the checks behind it: its format is right, it is signed as it must be,
/// and it is redacted where its content is not what was hashed.
package struct RemoteEvent: Sendable {
    package internal(set) var event: Event
    /// Why the room's policy server does not recommend it (step 7).
    var policyRefusal: String?
    /// The room's state before the event, where somebody says what it was. The events of such states are here, as outliers at least.
    package var stateBefore: [EventID]?
    /// The room's states after those previous events that are not here: what another server says they are.
    package var statesAfterMissing: [EventID: [EventID]] = [:]
    package var path = Path.live
    /// Where an event of the past stands in the timeline; nil: before all that is there.
    package var position: StreamPosition?
    /// Of an event of the past: after which position there is room for what was before it.
    package var floor = StreamPosition.zero

    /// By which way the event came.
    package enum Path: Sendable, Hashable {
        /// It happens now.
        case live
        /// It happened before all that is known of the room, and somebody pages back.
        case past
        /// This server helps it into the room (a join, a leave, a knock or an invite), and tells the others of it.
        case relayed
    }

    package init(_ event: Event, stateBefore: [EventID]? = nil, path: Path = .live) {
        self.event = event
        self.stateBefore = stateBefore
        self.path = path
    }
}

/// What becomes of a received event.
package enum Receipt: Sendable {
    /// It is in the room, and clients see it.
    case accepted
    /// It was here before.
    case known
    /// It stays in the graph, in no timeline: the state before it allows it; the current state (step 6) or the room's policy server
    /// (step 7) does not.
    case softFailed(reason: String)
    /// It is refused by its auth events or by the state before it (steps 4 and 5).
    case rejected(reason: String)

    /// Why the event is not seen.
    package var refusal: String? {
        switch self {
        case .accepted, .known: nil
        case .softFailed(let reason), .rejected(let reason): reason
        }
    }
}

/// What an event stands on is not here: whoever hands it in should have fetched it before.
package struct MissingFoundation: Error, Sendable, CustomStringConvertible {
    package let event: EventID
    package let missing: [EventID]

    package init(event: EventID, missing: [EventID]) {
        self.event = event
        self.missing = missing
    }

    package var description: String { "\(event) stands on events that are not here: \(missing.map(\.string).joined(separator: ", "))" }
}

/// Gathers what became of several events, and tells when all is known.
final class ReceiptCollector: Sendable {
    private let receipts: Mutex<(known: [Int: Result<Receipt, any Error>], count: Int)>
    private let done: @Sendable ([Result<Receipt, any Error>]) -> Void

    init(_ count: Int, done: @escaping @Sendable ([Result<Receipt, any Error>]) -> Void) {
        receipts = Mutex(([:], count))
        self.done = done
    }

    func note(_ receipt: Result<Receipt, any Error>, at index: Int) {
        let all = receipts.withLock { receipts -> [Result<Receipt, any Error>]? in
            receipts.known[index] = receipt
            guard receipts.known.count == receipts.count else { return nil }
            return (0..<receipts.count).compactMap { receipts.known[$0] }
        }
        if let all { done(all) }
    }
}
