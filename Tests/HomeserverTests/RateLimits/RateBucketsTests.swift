// Leaky buckets.

import Homeserver
import Testing

@Suite("Rate buckets")
struct RateBucketsTests {
    @Test("as many actions as the burst are allowed at once, and no more")
    func burst() {
        var buckets = RateBuckets<String>()
        for _ in 0..<10 { #expect(buckets.decide("a", perSecond: 0.2, burst: 10, at: 0) == .allowed) }
        #expect(buckets.decide("a", perSecond: 0.2, burst: 10, at: 0) == .refused(retryAfter: 5))
        #expect(buckets.decide("b", perSecond: 0.2, burst: 10, at: 0) == .allowed)
    }

    @Test(
        "after a full burst the next action is allowed when one has leaked",
        arguments: [(4.9, false), (5.0, true), (5.1, true), (50.0, true)])
    func leak(elapsed: Double, isAllowed: Bool) {
        var buckets = RateBuckets<String>()
        for _ in 0..<3 { _ = buckets.decide("a", perSecond: 0.2, burst: 3, at: 100) }
        #expect((buckets.decide("a", perSecond: 0.2, burst: 3, at: 100 + elapsed) == .allowed) == isAllowed)
    }

    @Test("a refused action is not counted")
    func refusedIsFree() {
        var buckets = RateBuckets<String>()
        _ = buckets.decide("a", perSecond: 1, burst: 1, at: 0)
        for _ in 0..<100 { _ = buckets.decide("a", perSecond: 1, burst: 1, at: 0.5) }
        #expect(buckets.decide("a", perSecond: 1, burst: 1, at: 1) == .allowed)
    }

    @Test("asking without counting leaves the bucket as it is")
    func uncounted() {
        var buckets = RateBuckets<String>()
        for _ in 0..<5 { #expect(buckets.decide("a", perSecond: 1, burst: 1, at: 0, isCounted: false) == .allowed) }
        #expect(buckets.decide("a", perSecond: 1, burst: 1, at: 0) == .allowed)
    }

    @Test("a rate of zero refuses for good when the burst is used up")
    func zeroRate() {
        var buckets = RateBuckets<String>()
        #expect(buckets.decide("a", perSecond: 0, burst: 1, at: 0) == .allowed)
        #expect(buckets.decide("a", perSecond: 0, burst: 1, at: 1e9) == .refused(retryAfter: nil))
    }

    @Test("several actions at once are allowed together or not at all")
    func cost() {
        var buckets = RateBuckets<String>()
        #expect(buckets.decide("a", perSecond: 1, burst: 10, at: 0, cost: 8) == .allowed)
        #expect(buckets.decide("a", perSecond: 1, burst: 10, at: 0, cost: 3) == .refused(retryAfter: 1))
        #expect(buckets.decide("a", perSecond: 1, burst: 10, at: 0, cost: 2) == .allowed)
    }

    @Test("buckets that have leaked empty are forgotten")
    func forgetting() {
        var buckets = RateBuckets<Int>()
        for key in 0..<100_000 { _ = buckets.decide(key, perSecond: 10, burst: 5, at: Double(key)) }
        #expect(buckets.count < 3000)
    }
}
