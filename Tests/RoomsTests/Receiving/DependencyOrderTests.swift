import Rooms
import Testing

@Suite("The order in which things are placed")
struct DependencyOrderTests {
    private func sorted(_ graph: KeyValuePairs<String, [String]>) -> [String] {
        DependencyOrder.sorted(Array(graph), id: \.key, foundations: \.value).map(\.key)
    }

    @Test("each comes after those that it stands on, wherever it stood before")
    func after() {
        #expect(sorted(["d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []]) == ["a", "b", "c", "d"])
        #expect(sorted(["a": [], "b": ["a"]]) == ["a", "b"])
    }

    @Test("what is not among them is passed over, and an order that is right stays")
    func unknown() {
        #expect(sorted(["x": ["gone"], "y": [], "z": ["x", "gone"]]) == ["x", "y", "z"])
    }

    @Test("a loop is broken somewhere, and nothing is lost")
    func loop() {
        #expect(Set(sorted(["a": ["b"], "b": ["a"], "c": ["a"]])) == ["a", "b", "c"])
    }

    @Test("a chain may be longer than a stack is deep")
    func long() {
        let chain = (0..<100_000).reversed().map { (key: $0, foundations: $0 == 0 ? [] : [$0 - 1]) }
        #expect(DependencyOrder.sorted(chain, id: \.key, foundations: \.foundations).map(\.key) == Array(0..<100_000))
    }
}
