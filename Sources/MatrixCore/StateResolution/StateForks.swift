// The states that are resolved, given by their difference. Rooms v2 §State resolution, "unconflicted state map".

/// A room state: the event that holds each entry.
package typealias StateMap = [StateKey: EventID]

/// What is different in one state from another.
package struct StateChanges: Sendable, Hashable {
    package var set: StateMap
    /// Entries which the other state has and this one has not.
    package var removed: Set<StateKey>

    package init(set: StateMap = [:], removed: Set<StateKey> = []) {
        self.set = set
        self.removed = removed
    }

    /// The changed state of `base`.
    package func applied(to base: StateMap) -> StateMap {
        var result = base
        for key in removed { result[key] = nil }
        result.merge(set) { $1 }
        return result
    }
}

/// The states at the ends of several forks of a room, as changes over one *base* state that may be any: the state at their last
/// common ancestor, or one of the states themselves. So two states of a large room cost what is different in them.
package struct StateForks: Sendable {
    package let count: Int
    /// The entries on which the forks disagree, each with its holder on every fork; `nil` where the fork has none.
    let conflicts: [StateKey: [EventID?]]
    /// Entries that all forks have changed in the same way.
    let agreed: [StateKey: EventID?]

    /// - Parameters:
    ///   - changes: what each fork's state has changed of the base.
    ///   - base: the base's entry of a key. It is asked for the keys in `changes` only.
    package init(_ changes: [StateChanges], over base: (StateKey) throws -> EventID?) rethrows {
        var conflicts: [StateKey: [EventID?]] = [:]
        var agreed: [StateKey: EventID?] = [:]
        let keys = changes.reduce(into: Set<StateKey>()) { keys, change in
            keys.formUnion(change.set.keys)
            keys.formUnion(change.removed)
        }
        for key in keys {
            let original = try base(key)
            let holders = changes.map { $0.set[key] ?? ($0.removed.contains(key) ? nil : original) }
            if let first = holders.first, holders.allSatisfy({ $0 == first }) {
                if first != original { agreed.updateValue(first, forKey: key) }
            } else {
                conflicts[key] = holders
            }
        }
        count = changes.count
        self.conflicts = conflicts
        self.agreed = agreed
    }

    /// Compares whole states; the first is the base. This costs what the states are long.
    package init(_ states: [StateMap]) {
        let base = states.first ?? [:]
        let changes = states.map { state in
            StateChanges(
                set: state.filter { base[$0.key] != $0.value },
                removed: Set(base.keys.lazy.filter { state[$0] == nil }))
        }
        self.init(changes) { base[$0] }
    }

    package var haveConflicts: Bool { !conflicts.isEmpty }
}
