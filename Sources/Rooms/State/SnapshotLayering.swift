// How room states are stored: as layers of changes, merged so that any state is read with few of them.

import MatrixCore
import Persistence

/// Decides at write time how a new state is stored.
///
/// A state is a chain of layers, each a set of changes over the one below. Every layer holds at least twice as many keys as
/// the one above it, so a state of n keys has at most log2(n) + 1 layers. A new state is the change itself as a layer of its own,
/// after it has swallowed the layers that would be too small below it, as a log-structured merge tree does: a key is written
/// O(log n) times, and a join in a big room mostly writes a few bytes. Layers that were written stay as they are, for the
/// older states which are made of them.
package struct SnapshotLayering: Sendable {
    package struct Layer: Sendable {
        package let id: SnapshotID
        /// How many keys it holds.
        package let count: Int
        /// A packed `StateDelta`.
        package let delta: [UInt8]
    }

    /// The layers of the newest state, the oldest (largest) first.
    package private(set) var layers: [Layer]

    /// Of a room without state.
    package init() { layers = [] }

    /// Of a stored state. `rows`: newest first, as `StateStore.layers` gives them.
    package init(_ rows: [StateLayerRow]) {
        layers = rows.reversed().map { Layer(id: $0.snapshot, count: $0.delta.count, delta: $0.delta.packed) }
    }

    /// The newest state.
    package var top: SnapshotID { layers.last?.id ?? .empty }

    /// The events of some keys in the newest state.
    package func events(_ keys: some Sequence<StateKeyNID>) throws(StateDeltaError) -> [StateKeyNID: EventNID] {
        let deltas = try SnapshotLayering.unpacked(layers[...])
        var found: [StateKeyNID: EventNID] = [:]
        for key in keys { found[key] = SnapshotLayering.event(key, in: deltas) }
        return found
    }

    /// The whole newest state.
    package func whole() throws(StateDeltaError) -> StateDelta { try SnapshotLayering.merged(layers[...]).withoutRemovals() }

    /// What the newest state has other than `base`'s: laid over `base`, it makes this one. Layers that both are made of are not looked
    /// at, so states that parted a while ago cost what has changed since.
    package func difference(from base: SnapshotLayering) throws(StateDeltaError) -> StateDelta {
        let shared = zip(layers, base.layers).prefix { $0.id == $1.id }.count
        let common = try SnapshotLayering.unpacked(layers.prefix(shared))
        let own = try SnapshotLayering.merged(layers.dropFirst(shared))
        let others = try SnapshotLayering.merged(base.layers.dropFirst(shared))
        var different: [StateDelta.Pair] = []
        for pair in own.pairs {
            let theirs = if let other = others.pair(pair.key) { other.event } else { SnapshotLayering.event(pair.key, in: common) }
            if theirs != pair.event { different.append(pair) }
        }
        for pair in others.pairs where own.pair(pair.key) == nil {
            let mine = SnapshotLayering.event(pair.key, in: common)
            if mine != pair.event { different.append(StateDelta.Pair(key: pair.key, event: mine)) }
        }
        return StateDelta(different)
    }

    /// Newest first.
    private static func unpacked(_ layers: ArraySlice<Layer>) throws(StateDeltaError) -> [StateDelta] {
        var deltas: [StateDelta] = []
        for layer in layers.reversed() { deltas.append(try StateDelta(packed: layer.delta)) }
        return deltas
    }

    private static func event(_ key: StateKeyNID, in deltas: [StateDelta]) -> EventNID? {
        for delta in deltas { if let pair = delta.pair(key) { return pair.event } }
        return nil
    }

    private static func merged(_ layers: ArraySlice<Layer>) throws(StateDeltaError) -> StateDelta {
        var merged = StateDelta([])
        for layer in layers { merged = try StateDelta(packed: layer.delta).over(merged) }
        return merged
    }

    /// About how many bytes this value holds.
    var cost: Int { layers.reduce(0) { $0 + $1.delta.count + 64 } }

    /// Makes the state `id`: the newest one with some keys changed.
    /// - Returns: the row to store for it.
    package mutating func push(_ changes: StateDelta, as id: SnapshotID) throws(StateDeltaError) -> StateLayerRow {
        var delta = changes
        while let below = layers.last, below.count < 2 * delta.count {
            delta = delta.over(try StateDelta(packed: below.delta))
            layers.removeLast()
        }
        if layers.isEmpty { delta = delta.withoutRemovals() }
        let parent = layers.last?.id
        layers.append(Layer(id: id, count: delta.count, delta: delta.packed))
        return StateLayerRow(snapshot: id, parent: parent, delta: delta)
    }
}
