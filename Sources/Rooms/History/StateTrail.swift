// How one entry of a room's state changed over time.

import MatrixCore
import Persistence

/// What an entry of the state was at each place of the timeline, from its newest holder back.
///
/// A state event says what it replaced, so following these costs a look at each change that is passed, and nothing for a page of
/// the timeline in which the entry did not change. No stored state is read.
struct StateTrail<Value: Sendable>: Sendable {
    private struct Step: Sendable {
        /// The value holds from here on, up to the step before this one.
        let from: StreamPosition
        let value: Value
    }

    /// Newest first.
    private var steps: [Step]
    /// The event of the last step, while it is not known what was before it.
    private var oldest: EventNID?
    private let reading: Reading

    /// How values are read from events.
    struct Reading: Sendable {
        /// The value where the room has no such entry.
        let none: Value
        /// The value beyond what is looked at.
        let unknown: Value
        let replaced: @Sendable (ReplacedEvent) -> Value
    }

    /// How many changes are followed at most.
    private static var stepLimit: Int { 500 }

    /// - Parameters:
    ///   - holder: the newest event of the entry; nil where there is none.
    ///   - value: what it says.
    init(holder: (nid: EventNID, position: StreamPosition)?, value: Value, reading: Reading) {
        self.reading = reading
        if let holder {
            steps = [Step(from: holder.position, value: value)]
            oldest = holder.nid
        } else {
            steps = [Step(from: .start, value: reading.none)]
        }
    }

    /// Makes sure that everything from `position` on is known.
    mutating func extend(to position: StreamPosition, in events: EventReader) async throws {
        while let last = steps.last, last.from > position || last.from == .start, let nid = oldest {
            guard steps.count < Self.stepLimit, let event = try await events.event(nid) else {
                end(with: reading.unknown)
                return
            }
            if last.from == .start {
                // An outlier when the holder was read: its place may have been found since. One that has none holds since ever.
                guard event.position != .start else {
                    oldest = nil
                    return
                }
                steps[steps.count - 1] = Step(from: event.position, value: last.value)
                continue
            }
            guard let replaced = event.replaced else {
                end(with: reading.none)
                return
            }
            let before = try await events.event(replaced.nid)
            steps.append(Step(from: before?.position ?? .start, value: reading.replaced(replaced)))
            oldest = before?.nid
        }
    }

    private mutating func end(with value: Value) {
        steps.append(Step(from: .start, value: value))
        oldest = nil
    }

    /// The value in the state after what happened at `position`.
    func value(at position: StreamPosition) -> Value {
        steps.first { $0.from <= position }?.value ?? reading.unknown
    }

    /// The value in the state before what happened at `position`.
    func value(before position: StreamPosition) -> Value {
        steps.first { $0.from < position }?.value ?? reading.none
    }

    /// Whether the value was one of `wanted` at some time after `position`.
    func contains(after position: StreamPosition, _ isWanted: (Value) -> Bool) -> Bool {
        steps.contains { $0.from > position && isWanted($0.value) }
    }
}

extension HistoryVisibility {
    /// The setting before the event that replaced this one; `shared` where there was none.
    package init(ofReplaced event: ReplacedEvent?) {
        let document = event.flatMap { try? JSONDocument(parsing: $0.content, limits: .lenientEvent) }
        self.init(content: document?.root)
    }
}
