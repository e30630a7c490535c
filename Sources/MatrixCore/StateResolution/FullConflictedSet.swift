// The events that a resolution replays. Rooms v2, v12 §State resolution, "full conflicted set".

/// Collects the conflicted state set, the auth difference and, for room version 12, the conflicted state subgraph.
///
/// The auth difference is found by walking from the conflicted events down along `auth_events`, as far as events are not in the
/// auth chains of all forks. So the walk ends where the forks' chains meet. Levels are asked for as a whole.
struct FullConflictedSet: Sendable {
    private var chains: ForkChains
    private var subgraph: ConflictedSubgraph?
    /// What is found so far.
    private var members: Set<EventID>
    private var seen: Set<EventID>
    /// The events that are looked at next.
    private var level: [EventID]
    private var isLevelReady = false
    private var nextLevel: [EventID] = []

    init(_ forks: StateForks, withSubgraph: Bool) {
        let conflicted = Set(forks.conflicts.values.joined().compactMap(\.self))
        chains = ForkChains(forks)
        subgraph = withSubgraph ? ConflictedSubgraph(conflicted) : nil
        members = conflicted
        seen = conflicted
        level = Array(conflicted)
    }

    /// All of the set; some of it may turn out not to be known.
    mutating func collect(_ graph: inout AuthGraph) throws(ResolutionPause) -> Set<EventID> {
        try collectAuthDifference(&graph)
        return members.union(try subgraph?.collect(&graph) ?? [])
    }

    private mutating func collectAuthDifference(_ graph: inout AuthGraph) throws(ResolutionPause) {
        while true {
            if level.isEmpty {
                guard !nextLevel.isEmpty else { return }
                swap(&level, &nextLevel)
                isLevelReady = false
            }
            if !isLevelReady { try prepareLevel(&graph) }
            while let id = level.last {
                // Events that are not known, or are no state, authorize nothing.
                if let event = graph[id]?.event, let key = event.key, try !chains.allHold(id, key: key, &graph) {
                    members.insert(id)
                    for cited in graph.authEventIDs(of: event) where seen.insert(cited).inserted { nextLevel.append(cited) }
                }
                level.removeLast()
            }
        }
    }

    /// Asks for what nearly every event of the level takes, all at once.
    private mutating func prepareLevel(_ graph: inout AuthGraph) throws(ResolutionPause) {
        try graph.load(level)
        try graph.loadEntries(level.compactMap { graph[$0]?.event.key })
        isLevelReady = true
        for id in level {
            guard let key = graph[id]?.event.key, graph.unconflicted(key) != id, !chains.isDecided(id) else { continue }
            try graph.requestFirstCitations(of: id)
        }
        if !graph.request.citations.isEmpty { throw .needsAnswer }
    }
}

/// The events on paths along `auth_events` from one conflicted event to another. Rooms v12 §State resolution, "conflicted state
/// subgraph".
///
/// These are the events which are both below a conflicted event and above one. Only the smaller of these two sets is collected
/// whole, and the paths are looked for inside it: above conflicts that are new there are few events, below some that are old and
/// much cited there are few. Which it is comes out by collecting both in turns.
struct ConflictedSubgraph: Sendable {
    private let conflicted: Set<EventID>
    private var below: Set<EventID>
    private var belowFrontier: [EventID]
    private var above: Set<EventID>
    private var aboveFrontier: [EventID]
    /// The paths downward inside `above`, once that is whole.
    private var found: Set<EventID>
    private var foundFrontier: [EventID]

    init(_ conflicted: Set<EventID>) {
        self.conflicted = conflicted
        below = conflicted
        belowFrontier = Array(conflicted)
        above = conflicted
        aboveFrontier = Array(conflicted)
        found = conflicted
        foundFrontier = Array(conflicted)
    }

    mutating func collect(_ graph: inout AuthGraph) throws(ResolutionPause) -> Set<EventID> {
        // Events cite the create event by the room's ID, without saying so: that it is above them is seen from them only.
        let canAscend = graph.createEvent.map { !conflicted.contains($0) } ?? true
        while !belowFrontier.isEmpty, !aboveFrontier.isEmpty || !canAscend {
            if !canAscend || below.count <= ascentCost(graph) { try descend(&graph) } else { try ascend(&graph) }
        }
        return belowFrontier.isEmpty ? pathsInsideBelow(graph) : try pathsInsideAbove(&graph)
    }

    private func ascentCost(_ graph: AuthGraph) -> Int {
        aboveFrontier.reduce(above.count) { $0 + graph.citations(of: $1).known.count }
    }

    private mutating func descend(_ graph: inout AuthGraph) throws(ResolutionPause) {
        try graph.load(belowFrontier)
        let cited = belowFrontier.flatMap { id in graph[id].map { graph.authEventIDs(of: $0.event) } ?? [] }
        belowFrontier = cited.filter { below.insert($0).inserted }
    }

    /// One page of citations of each event, or, where all are there, one level up.
    private mutating func ascend(_ graph: inout AuthGraph) throws(ResolutionPause) {
        var isComplete = true
        for id in aboveFrontier where !graph.citations(of: id).isComplete {
            isComplete = false
            try graph.requestCitations(of: id)
        }
        guard isComplete else { throw .needsAnswer }
        let citing = aboveFrontier.flatMap { graph.citations(of: $0).known.map(\.citing) }
        aboveFrontier = citing.filter { above.insert($0).inserted }
    }

    private mutating func pathsInsideAbove(_ graph: inout AuthGraph) throws(ResolutionPause) -> Set<EventID> {
        while !foundFrontier.isEmpty {
            try graph.load(foundFrontier)
            let cited = foundFrontier.flatMap { id in graph[id].map { graph.authEventIDs(of: $0.event) } ?? [] }
            foundFrontier = cited.filter { above.contains($0) && found.insert($0).inserted }
        }
        return found
    }

    private func pathsInsideBelow(_ graph: AuthGraph) -> Set<EventID> {
        var citing: [EventID: [EventID]] = [:]
        for id in below {
            guard let event = graph[id]?.event else { continue }
            for cited in graph.authEventIDs(of: event) { citing[cited, default: []].append(id) }
        }
        var paths = conflicted
        var frontier = Array(conflicted)
        while let id = frontier.popLast() {
            frontier += (citing[id] ?? []).filter { paths.insert($0).inserted }
        }
        return paths
    }
}
