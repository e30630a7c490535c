// The bounded cache.

import MatrixCore
import Testing

@Suite("Recent cache")
struct RecentCacheTests {
    @Test("it never holds more than its capacity")
    func bound() {
        var cache = RecentCache<Int, Int>(capacity: 100)
        for key in 0..<10_000 { cache.insert(key, for: key) }
        #expect(cache.count <= 100)
        #expect(cache.value(for: 9_999) == 9_999)
        #expect(cache.value(for: 0) == nil)
    }

    @Test("what is used stays, whatever else comes by")
    func use() {
        var cache = RecentCache<Int, Int>(capacity: 100)
        cache.insert(-1, for: -1)
        for key in 0..<10_000 {
            cache.insert(key, for: key)
            #expect(cache.value(for: -1) == -1)
        }
    }

    @Test("what is removed is gone from both generations")
    func removal() {
        var cache = RecentCache<Int, Int>(capacity: 4)
        for key in 0..<4 { cache.insert(key % 2, for: key) }
        cache.remove(0)
        cache.removeAll { $0 == 1 }
        #expect((0..<4).compactMap { cache.value(for: $0) } == [0])
    }
}
