// What becomes of a connection's required state when the client asks for something else. MSC4186.

import MatrixCore
import Persistence

/// The step from what a client was sent of a room to what it asks for now.
///
/// What is asked for no longer is remembered as sent until it changes: a client that takes something out of its request and puts it back
/// gets it again only if it has changed meanwhile.
package struct RequiredStateChange: Sendable, Equatable {
    /// What the client has, and is told the changes of, from now on; nil where that stays as it was.
    package var effective: RequiredState?
    /// What the client has to be sent whether it changed or not.
    package var added: RequiredState

    /// How many state keys of one type are remembered that are asked for no longer, together with those that are.
    package static let memoryLimit = 100

    /// - Parameters:
    ///   - sent: what the client has.
    ///   - requested: what it asks for.
    ///   - changed: what changed since it was last sent something of the room.
    package init(
        from sent: RequiredState, to requested: RequiredState, changed: some Sequence<StateKey>, for viewer: UserID
    ) {
        added = .nothing
        guard sent != requested else { return }
        let wildcard = RequiredState.wildcard
        guard !sent.isEverything else {
            effective = requested
            return
        }
        let (oldAnyType, newAnyType) = (sent.keys[wildcard] ?? [], requested.keys[wildcard] ?? [])
        guard oldAnyType == newAnyType else {
            effective = requested
            // Which of the wanted entries the client has is not worth finding out.
            if !newAnyType.isSubset(of: oldAnyType) { added = requested }
            return
        }

        var changedKeys: [ByteString: Set<ByteString>] = [:]
        for key in changed {
            changedKeys[key.type, default: []].insert(key.stateKey)
            if key.stateKey == viewer.text { changedKeys[key.type, default: []].insert(RequiredState.me) }
        }
        var kept = sent.keys
        var missing: [ByteString: Set<ByteString>] = [:]
        for type in Set(sent.keys.keys).union(requested.keys.keys) where type != wildcard {
            let (old, new) = (sent.keys[type] ?? [], requested.keys[type] ?? [])
            guard old != new else { continue }
            kept[type] = RequiredStateChange.kept(old, new, changed: changedKeys[type] ?? [])
            if !old.contains(wildcard) { missing[type] = new.subtracting(old).subtracting([RequiredState.lazy]) }
        }
        let next = RequiredState(kept)
        if next != sent { effective = next }
        added = RequiredState(missing)
    }

    /// The state keys of one type that the client has from now on.
    private static func kept(_ old: Set<ByteString>, _ new: Set<ByteString>, changed: Set<ByteString>) -> Set<ByteString> {
        let special: Set<ByteString> = [RequiredState.wildcard, RequiredState.lazy]
        // With wildcards and lazily loaded members it is not remembered who in particular was sent.
        guard old.intersection(special) == new.intersection(special) else { return new }
        let dropped = old.subtracting(new)
        let remembered = dropped.subtracting(changed)
        guard remembered.count > memoryLimit - new.count else { return new.union(remembered) }
        return new.union(remembered.sorted().prefix(max(0, memoryLimit - new.count)))
    }
}
