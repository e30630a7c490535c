// One resolution of states, step by step. Rooms v2, v12 §State resolution, "Algorithm"; Rooms v1 §State resolution.

/// Resolves the states of a room's forks. A value that does no I/O: it says what it must know, and goes on when it is told.
///
///     var resolver = StateResolver(forks, in: room, version: version)
///     while true {
///         switch try resolver.advance() {
///         case .needs(let request): resolver.supply(try await store.answer(request))
///         case .resolved(let changes): return changes
///         }
///     }
///
/// What it asks for grows with the difference between the states: it never walks the auth chains of what they have in common.
package struct StateResolver: Sendable {
    /// The most events that one resolution looks at, our own limit: some hundred megabytes. Real differences are a thousandth of it.
    package static let eventLimit = 500_000

    package enum Step: Sendable {
        /// Give this to `supply` and call `advance` again.
        case needs(ResolutionRequest)
        /// What the resolved state has changed of the forks' base.
        case resolved(StateChanges)
    }

    private var graph: AuthGraph
    private var stage: Stage
    private var conflictedSet: FullConflictedSet
    private var state: PartialState
    /// The events of the full conflicted set that are left when the power events are resolved.
    private var others: [Event] = []
    private var mainline = Mainline()

    private enum Stage: Sendable {
        case v1
        case collecting
        /// Steps 1 and 2, on the full conflicted set.
        case powerEvents(Set<EventID>)
        /// Steps 3 and 4.
        case otherEvents
        /// Step 5.
        case unconflicted
        case done(StateChanges)
    }

    package init(_ forks: StateForks, in room: RoomID, version: RoomVersion) {
        let algorithm = version.stateResolution
        graph = AuthGraph(forks, in: room, version: version)
        conflictedSet = FullConflictedSet(forks, withSubgraph: algorithm == .v2_1)
        state = PartialState(startsFromUnconflicted: algorithm != .v2_1)
        if forks.haveConflicts {
            stage = algorithm == .v1 ? .v1 : .collecting
        } else {
            stage = .done(graph.changes(by: [:]))
        }
    }

    /// Goes on as far as what is known allows.
    package mutating func advance() throws(StateResolutionError) -> Step {
        do {
            while true {
                if case .done(let changes) = stage { return .resolved(changes) }
                stage = try nextStage()
            }
        } catch {
            switch error {
            case .needsAnswer: return .needs(graph.request)
            case .overLimit: throw .tooManyEvents
            }
        }
    }

    /// Takes the answer to the last request.
    package mutating func supply(_ answer: ResolutionAnswer) {
        graph.supply(answer)
    }

    /// Carries the stage out, unless something is missing: then it is tried again, and walks go on where they were.
    private mutating func nextStage() throws(ResolutionPause) -> Stage {
        switch stage {
        case .v1:
            return .done(graph.changes(by: try StateResolutionV1().resolve(&graph)))

        case .collecting:
            return .powerEvents(try conflictedSet.collect(&graph))

        case .powerEvents(let conflicted):
            let events = try graph.loadForChecks(conflicted)
            let powerEvents = PowerOrdering.powerEvents(among: events, graph)
            state.apply(PowerOrdering.sorted(powerEvents, &graph), &graph)
            others = events.values.filter { powerEvents[$0.id] == nil }
            return .otherEvents

        case .otherEvents:
            let powerLevels = try state.holder(of: .powerLevels, &graph)
            try mainline.walk(from: powerLevels, for: others, &graph)
            state.apply(mainline.sorted(others, graph), &graph)
            return .unconflicted

        case .unconflicted:
            return .done(graph.changes(by: try state.withoutUnconflicted(&graph)))

        case .done:
            return stage
        }
    }
}
