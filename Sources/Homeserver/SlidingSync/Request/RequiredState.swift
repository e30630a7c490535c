// Which state of a room a client wants. MSC4186, `required_state`.

import MatrixCore
import Persistence
import Synchronization

/// A set of pairs of event type and state key, either of which may be a wildcard. Immutable and shared: equal sets that clients send
/// again and again are one object, so comparing them is comparing references.
package final class RequiredState: Sendable {
    /// State keys by event type, without what a wildcard says already.
    package let keys: [ByteString: Set<ByteString>]

    /// Any event type, or any state key.
    package static let wildcard: ByteString = "*"
    /// The state key that stands for the reader.
    package static let me: ByteString = "$ME"
    /// The state key of `m.room.member` that stands for whoever is needed to show the timeline.
    package static let lazy: ByteString = "$LAZY"

    package static let nothing = RequiredState([:])

    package init(_ keys: [ByteString: Set<ByteString>]) {
        self.keys = RequiredState.normalized(keys)
    }

    package convenience init(_ pairs: some Sequence<(type: ByteString, stateKey: ByteString)>) {
        var keys: [ByteString: Set<ByteString>] = [:]
        for pair in pairs { keys[pair.type, default: []].insert(pair.stateKey) }
        self.init(keys)
    }

    private static func normalized(_ keys: [ByteString: Set<ByteString>]) -> [ByteString: Set<ByteString>] {
        let anyType = keys[wildcard] ?? []
        if anyType.contains(wildcard) { return [wildcard: [wildcard]] }
        var result: [ByteString: Set<ByteString>] = [:]
        for (type, stateKeys) in keys {
            var kept = stateKeys.contains(wildcard) ? [wildcard] : stateKeys
            if type != wildcard { kept.subtract(anyType) }
            if !kept.isEmpty { result[type] = kept }
        }
        return result
    }

    // MARK: What it selects

    /// All state of the room.
    package var isEverything: Bool { keys[RequiredState.wildcard]?.contains(RequiredState.wildcard) == true }

    package var loadsMembersLazily: Bool { keys[StateKey.memberType]?.contains(RequiredState.lazy) == true }

    /// Whether only a look at every entry of a state tells which of them are wanted.
    package var needsWalk: Bool {
        keys[RequiredState.wildcard] != nil || keys.values.contains { $0.contains(RequiredState.wildcard) }
    }

    /// Whether member events can be among what is wanted without being named or loaded lazily.
    package var wantsAnyMember: Bool {
        keys[RequiredState.wildcard] != nil || keys[StateKey.memberType]?.contains(RequiredState.wildcard) == true
    }

    /// Whether an entry is wanted whatever the timeline shows.
    package func selects(_ key: StateKey, for viewer: UserID) -> Bool {
        if let stateKeys = keys[key.type], RequiredState.contains(key.stateKey, in: stateKeys, viewer) { return true }
        guard let stateKeys = keys[RequiredState.wildcard] else { return false }
        return RequiredState.contains(key.stateKey, in: stateKeys, viewer)
    }

    private static func contains(_ stateKey: ByteString, in stateKeys: Set<ByteString>, _ viewer: UserID) -> Bool {
        stateKeys.contains(wildcard) || stateKeys.contains(stateKey) || (stateKey == viewer.text && stateKeys.contains(me))
    }

    /// The entries that are named in full.
    package func named(for viewer: UserID) -> [StateKey] {
        var found: [StateKey] = []
        for (type, stateKeys) in keys where type != RequiredState.wildcard {
            for stateKey in stateKeys where stateKey != RequiredState.wildcard && stateKey != RequiredState.lazy {
                found.append(StateKey(type: type, stateKey: stateKey == RequiredState.me ? viewer.text : stateKey))
            }
        }
        return found
    }

    // MARK: Sets of them

    package func union(_ other: RequiredState) -> RequiredState {
        if other === self || covers(other) { return self }
        return RequiredState(keys.merging(other.keys) { $0.union($1) })
    }

    /// Whether everything that `other` asks for is asked for here.
    package func covers(_ other: RequiredState) -> Bool {
        if other === self || isEverything { return true }
        let anyType = keys[RequiredState.wildcard] ?? []
        return other.keys.allSatisfy { type, stateKeys in
            let own = keys[type] ?? []
            return own.contains(RequiredState.wildcard) || stateKeys.allSatisfy { own.contains($0) || anyType.contains($0) }
        }
    }
}

extension RequiredState: Hashable {
    package static func == (a: RequiredState, b: RequiredState) -> Bool { a === b || a.keys == b.keys }

    package func hash(into hasher: inout Hasher) { hasher.combine(keys) }
}

/// What a client wants of one room.
package struct RoomConfig: Sendable, Hashable {
    /// The most events of the timeline; never negative.
    package let timelineLimit: Int
    package let required: RequiredState

    package init(timelineLimit: Int, required: RequiredState) {
        self.timelineLimit = timelineLimit
        self.required = required
    }

    /// What satisfies both.
    package func union(_ other: RoomConfig) -> RoomConfig {
        RoomConfig(timelineLimit: max(timelineLimit, other.timelineLimit), required: required.union(other.required))
    }

    /// Whether `other` asks for nothing that is not asked for here.
    package func covers(_ other: RoomConfig) -> Bool {
        timelineLimit >= other.timelineLimit && required.covers(other.required)
    }
}

/// The sets in use, each once.
package final class RequiredStateTable: Sendable {
    private let known = Mutex(RecentCache<RequiredState, RequiredState>(capacity: 512))

    package init() {}

    package func shared(_ state: RequiredState) -> RequiredState {
        known.withLock { known in
            if let shared = known.value(for: state) { return shared }
            known.insert(state, for: state)
            return state
        }
    }
}
