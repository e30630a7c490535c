// In which forks' auth chains an event stands. Rooms v2 §State resolution, "auth difference".

/// A set of forks by their number.
struct ForkSet: Sendable, Hashable {
    /// Forks 0 to 63, and those above: hardly any room has as many.
    private var low: UInt64 = 0
    private var high: [UInt64] = []

    static func all(_ count: Int) -> ForkSet {
        var set = ForkSet()
        for fork in 0..<count { set.insert(fork) }
        return set
    }

    mutating func insert(_ fork: Int) {
        guard fork >= 64 else { return low |= 1 << UInt64(fork) }
        let word = fork / 64 - 1
        while high.count <= word { high.append(0) }
        high[word] |= 1 << UInt64(fork % 64)
    }

    mutating func formUnion(_ other: ForkSet) {
        low |= other.low
        while high.count < other.high.count { high.append(0) }
        for word in other.high.indices { high[word] |= other.high[word] }
    }
}

/// Finds out which of the forks' states reach an event through `auth_events`, by walking from the event *up* to those that cite it.
///
/// A state's events count as part of its auth chain, as in all servers. What the forks have in common reaches an event in all
/// of them, so the search ends as soon as it comes upon the unconflicted state map: an event that is not in the difference is
/// mostly cited by the unconflicted state directly, or in a few steps. An event that *is* in the difference has above it only
/// events that are in the difference, or in no fork at all. So the search costs what the difference is large, however long the
/// chains are, and whatever `depth` the events claim; each event is decided once.
struct ForkChains: Sendable {
    private let all: ForkSet
    /// The forks in whose state a conflicted event is.
    private let holders: [EventID: ForkSet]
    private var decided: [EventID: ForkSet] = [:]
    /// The search in progress: each event is cited by the one after it.
    private var path: [Node] = []
    private var isOnPath: Set<EventID> = []

    private struct Node: Sendable {
        let id: EventID
        /// The chains found so far.
        var chains: ForkSet
        /// How many of the citations have been asked whether their events are decided or in a state.
        var seen = 0
        /// How many of them have been walked up to.
        var walked = 0
    }

    init(_ forks: StateForks) {
        all = .all(forks.count)
        var holders: [EventID: ForkSet] = [:]
        for states in forks.conflicts.values {
            for (fork, id) in states.enumerated() {
                if let id { holders[id, default: ForkSet()].insert(fork) }
            }
        }
        self.holders = holders
    }

    func isDecided(_ id: EventID) -> Bool { decided[id] != nil }

    /// Whether `id` is in the auth chain of every fork. When the search pauses, it is to be asked for the same event again.
    ///
    /// - Parameter key: the entry of the state that the event sets.
    mutating func allHold(_ id: EventID, key: StateKey, _ graph: inout AuthGraph) throws(ResolutionPause) -> Bool {
        if path.isEmpty {
            guard let known = try known(id, key: key, &graph) else {
                push(id)
                return try search(&graph) == all
            }
            return known == all
        }
        // A search was interrupted. It was for this very event, as the caller asks again.
        return try search(&graph) == all
    }

    /// The chains of an event without search: `nil` when it takes one.
    private func known(_ id: EventID, key: StateKey, _ graph: inout AuthGraph) throws(ResolutionPause) -> ForkSet? {
        if let decided = decided[id] { return decided }
        try graph.loadEntries(CollectionOfOne(key))
        return graph.unconflicted(key) == id ? all : nil
    }

    private mutating func push(_ id: EventID) {
        path.append(Node(id: id, chains: holders[id] ?? ForkSet()))
        isOnPath.insert(id)
    }

    private mutating func search(_ graph: inout AuthGraph) throws(ResolutionPause) -> ForkSet {
        while let index = path.indices.last {
            try look(at: index, &graph)
            let node = path[index]
            if node.chains == all { return decideAll() }
            let pages = graph.citations(of: node.id)
            if node.walked < node.seen {
                let citing = pages.known[node.walked].citing
                path[index].walked += 1
                if let decided = decided[citing] {
                    path[index].chains.formUnion(decided)
                } else if !isOnPath.contains(citing) {
                    // What is on the path already is a cycle, which only made-up event IDs of room version 2 can form.
                    push(citing)
                }
            } else {
                path.removeLast()
                isOnPath.remove(node.id)
                decided[node.id] = node.chains
                guard let below = path.indices.last else { return node.chains }
                path[below].chains.formUnion(node.chains)
            }
        }
        return all
    }

    /// Takes over what is known without walking of the events that cite the one at `index`, until that is enough.
    private mutating func look(at index: Int, _ graph: inout AuthGraph) throws(ResolutionPause) {
        while path[index].chains != all {
            let pages = graph.citations(of: path[index].id)
            guard path[index].seen < pages.known.count else {
                // The next page is asked for when all the events of this one are walked: they mostly suffice.
                guard !pages.isComplete, path[index].walked == path[index].seen else { return }
                try graph.requestCitations(of: path[index].id)
                throw .needsAnswer
            }
            let citations = pages.known[path[index].seen...]
            try graph.loadEntries(citations.lazy.map(\.key))
            for citation in citations {
                if let known = try known(citation.citing, key: citation.key, &graph) { path[index].chains.formUnion(known) }
                path[index].seen += 1
                if path[index].chains == all { return }
            }
        }
    }

    /// What reaches the last event of the path reaches all others on it.
    private mutating func decideAll() -> ForkSet {
        for node in path { decided[node.id] = all }
        path = []
        isOnPath = []
        return all
    }
}
