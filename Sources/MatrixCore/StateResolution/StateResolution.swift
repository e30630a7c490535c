// State resolution: which state holds where the forks of a room meet. Rooms v1, v2, v12 §State resolution.

/// Resolves the states of a room's forks, by the algorithm of its room version, where all events are in memory.
///
/// The algorithm itself is ``StateResolver``: a value that says which events it needs next, so that it runs over memory (here)
/// as over a store that is asked asynchronously (see there).
package enum StateResolution {
    /// The resolution of `states`: the state before an event whose previous events have these states after them.
    ///
    /// The result does not depend on the order of `states`. Events that `events` does not have, and events of other rooms, are
    /// treated as if they did not exist: they win no conflict and authorize nothing.
    ///
    /// - Parameters:
    ///   - states: whole states. Where they are large and nearly the same, `resolve(_:over:in:version:events:)` is the cheaper call.
    ///   - room: the room that the states are of.
    ///   - events: the events of the states and their auth chains, as far as known; ``EventPool`` is one.
    /// - Throws: ``StateResolutionError``, or what the source throws.
    package static func resolve(
        _ states: [StateMap], in room: RoomID, version: RoomVersion, events: some ResolutionSource
    ) throws -> StateMap {
        let base = states.first ?? [:]
        return try resolve(StateForks(states), over: { base[$0] }, in: room, version: version, events: events).applied(to: base)
    }

    /// The resolution of `forks`, as changes over their base.
    ///
    /// - Parameter base: the base's entry of a key.
    package static func resolve(
        _ forks: StateForks, over base: (StateKey) throws -> EventID?, in room: RoomID, version: RoomVersion,
        events source: some ResolutionSource
    ) throws -> StateChanges {
        var resolver = StateResolver(forks, in: room, version: version)
        while true {
            switch try resolver.advance() {
            case .resolved(let changes):
                return changes
            case .needs(let request):
                var answer = ResolutionAnswer()
                if !request.events.isEmpty { answer.events = try source.events(request.events) }
                for citations in request.citations { answer.citations[citations] = try source.citations(citations) }
                for key in request.entries { answer.entries[key] = try base(key) }
                resolver.supply(answer)
            }
        }
    }
}

/// Why a resolution was given up.
package enum StateResolutionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// More events had to be looked at than ``StateResolver/eventLimit``.
    case tooManyEvents

    package var description: String {
        switch self {
        case .tooManyEvents: "the difference between the states reaches over more than \(StateResolver.eventLimit) events"
        }
    }
}
