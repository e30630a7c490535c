import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

/// Layers as they would be stored, and the states that they should give.
private struct LayeringModel {
    var layering = SnapshotLayering()
    var rows: [SnapshotID: StateLayerRow] = [:]
    var states: [SnapshotID: [StateKeyNID: EventNID]] = [.empty: [:]]
    var writtenPairs = 0

    mutating func push(_ changes: [StateDelta.Pair]) throws {
        let id = SnapshotID(Int64(rows.count + 1))
        var state = states[layering.top] ?? [:]
        for change in changes { state[change.key] = change.event }
        let row = try layering.push(StateDelta(changes), as: id)
        rows[id] = row
        states[id] = state
        writtenPairs += row.delta.count
    }

    func chain(of id: SnapshotID) -> [StateLayerRow] {
        var chain: [StateLayerRow] = []
        var next: SnapshotID? = id
        while let id = next, let row = rows[id] {
            chain.append(row)
            next = row.parent
        }
        return chain
    }

    func read(_ id: SnapshotID) -> [StateKeyNID: EventNID] {
        var state: [StateKeyNID: EventNID] = [:]
        for row in chain(of: id).reversed() {
            for pair in row.delta.pairs { state[pair.key] = pair.event }
        }
        return state
    }
}

@Suite("State layers")
struct SnapshotLayeringTests {
    @Test("every state that was ever made can be read, whatever came after it", arguments: [1, 2, 3, 4, 5] as [UInt64])
    func everyStateIsReadable(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var model = LayeringModel()
        let keyCount = Int64.random(in: 1...200, using: &random)
        for step in 1...400 {
            let changes = (0..<Int.random(in: 1...3, using: &random)).map { index in
                StateDelta.Pair(
                    key: StateKeyNID(Int64.random(in: 1...keyCount, using: &random)),
                    event: Int.random(in: 0..<10, using: &random) == 0 ? nil : EventNID(Int64(step * 10 + index)))
            }
            try model.push(changes)
        }
        for (id, state) in model.states { #expect(model.read(id) == state) }
    }

    @Test("each layer holds at least twice as many keys as the one above it, so chains are logarithmic")
    func chainsAreLogarithmic() throws {
        var model = LayeringModel()
        for step in 1...3000 {
            try model.push([.init(key: StateKeyNID(Int64(step)), event: EventNID(Int64(step)))])
            let counts = model.layering.layers.map(\.count)
            #expect(zip(counts, counts.dropFirst()).allSatisfy { $0 >= 2 * $1 })
            let limit = Int.bitWidth - step.leadingZeroBitCount
            #expect(model.chain(of: model.layering.top).count <= limit)
        }
    }

    @Test("a key is written a logarithmic number of times, not once for every later change")
    func writesAreLogarithmic() throws {
        var model = LayeringModel()
        let count = 2000
        for step in 1...count { try model.push([.init(key: StateKeyNID(Int64(step)), event: EventNID(Int64(step)))]) }
        #expect(model.writtenPairs <= count * 12)
    }

    @Test("layers that were loaded go on where the ones in memory would have")
    func loadedLayersGoOn() throws {
        var model = LayeringModel()
        for step in 1...500 {
            try model.push([.init(key: StateKeyNID(Int64(step % 97)), event: EventNID(Int64(step)))])
            model.layering = SnapshotLayering(model.chain(of: model.layering.top))
        }
        for (id, state) in model.states { #expect(model.read(id) == state) }
    }

    @Test("packed deltas come back as they were", arguments: [0, 1, 2, 50, 5000])
    func packing(count: Int) throws {
        var random = SeededGenerator(seed: UInt64(count) + 7)
        var pairs: [StateDelta.Pair] = []
        for index in 0..<count {
            let event = EventNID(Int64.random(in: 1...1_000_000_000_000, using: &random))
            pairs.append(.init(key: StateKeyNID(Int64(index * 3 + 1)), event: index % 7 == 3 ? nil : event))
        }
        let delta = StateDelta(pairs.shuffled(using: &random))
        #expect(delta.pairs == pairs)
        #expect(try StateDelta(packed: delta.packed) == delta)
    }

    private static let damaged: [[UInt8]] = [[0x80], [1], [1, 0x80], [1, 1, 0, 1], [UInt8](repeating: 0xff, count: 30)]

    @Test("damaged bytes are refused", arguments: damaged)
    func damagedBytes(bytes: [UInt8]) {
        #expect(throws: StateDeltaError.damaged) { try StateDelta(packed: bytes) }
    }
}
