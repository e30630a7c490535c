import MatrixCore
import Testing

/// What holds for every history, tried on many.
@Suite struct StateResolutionPropertyTests {
    /// A room version for each algorithm and each of the forms that the graph has.
    static let versions: [RoomVersion] = [.v1, .v2, .v6, .v11, .v12]
    static let seeds: Range<UInt64> = 0..<60

    @Test("the resolution does not depend on the order of the states", arguments: versions)
    func isIndependentOfOrder(version: RoomVersion) throws {
        for seed in Self.seeds {
            var history = try RandomHistory(version, seed: seed, events: 30)
            for _ in 0..<4 {
                let states = history.states()
                let resolved = try history.room.resolved(states)
                for _ in 0..<3 {
                    let shuffled = history.shuffled(states)
                    #expect(try history.room.resolved(shuffled) == resolved, "seed \(seed)")
                }
                #expect(try history.room.resolved(states + states) == resolved, "seed \(seed)")
            }
        }
    }

    @Test("states that are the same resolve to themselves", arguments: versions)
    func isIdentityOnEqualStates(version: RoomVersion) throws {
        for seed in Self.seeds {
            let history = try RandomHistory(version, seed: seed, events: 20)
            for state in history.room.statesAfter.values {
                #expect(try history.room.resolved([state, state]) == state, "seed \(seed)")
                #expect(try history.room.resolved([state]) == state, "seed \(seed)")
            }
        }
    }

    @Test("what the states agree on stands, and nothing is made up", arguments: versions)
    func keepsWhatIsAgreed(version: RoomVersion) throws {
        for seed in Self.seeds {
            var history = try RandomHistory(version, seed: seed, events: 40)
            let states = history.states()
            let resolved = try history.room.resolved(states)
            for key in Set(states.flatMap(\.keys)) {
                let holders = Set(states.map { $0[key] })
                if holders.count == 1 { #expect(resolved[key] == states[0][key], "seed \(seed)") }
            }
            for (key, id) in resolved {
                let event = try #require(history.room.events[id])
                #expect(event.key == key)
                #expect(!history.room.rejected.contains(id))
            }
        }
    }

    @Test(
        "the short walks find what the specification's whole auth chains hold",
        arguments: [RoomVersion.v2, .v6, .v11, .v12], [false, true])
    func agreesWithTheReference(version: RoomVersion, liesAboutDepth: Bool) throws {
        for seed in 1000..<1150 as Range<UInt64> {
            var history = try RandomHistory(version, seed: seed, events: 60, liesAboutDepth: liesAboutDepth)
            let reference = ReferenceResolution(room: history.room)
            for _ in 0..<5 {
                let states = history.states()
                #expect(try history.room.resolved(states) == reference.resolve(states), "seed \(seed)")
            }
        }
    }

    @Test("long histories, whose citations take many pages, agree as well", arguments: [RoomVersion.v6, .v12])
    func longHistoriesAgreeWithTheReference(version: RoomVersion) throws {
        for seed in 2000..<2004 as Range<UInt64> {
            var history = try RandomHistory(version, seed: seed, events: 500)
            let reference = ReferenceResolution(room: history.room)
            for _ in 0..<5 {
                let states = history.states()
                #expect(try history.room.resolved(states) == reference.resolve(states), "seed \(seed)")
            }
        }
    }

    @Test("a difference over a common base gives what whole states give", arguments: versions)
    func agreesOverABase(version: RoomVersion) throws {
        for seed in Self.seeds {
            var history = try RandomHistory(version, seed: seed, events: 40)
            let states = history.states()
            let base = try #require(history.room.statesAfter[history.room.ids[6]])
            let changes = states.map { state in
                StateChanges(set: state.filter { base[$0.key] != $0.value }, removed: Set(base.keys).subtracting(state.keys))
            }
            let resolved = try StateResolution.resolve(
                StateForks(changes) { base[$0] }, over: { base[$0] }, in: history.room.id, version: version, events: history.room.pool)
            #expect(try resolved.applied(to: base) == history.room.resolved(states), "seed \(seed)")
        }
    }
}
