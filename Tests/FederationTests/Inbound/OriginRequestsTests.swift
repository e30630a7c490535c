// How much a server may ask.

import Federation
import MatrixCore
import ServerConfiguration
import Testing

@Suite("Limits of other servers' requests")
struct OriginRequestsTests {
    private func limits(sleep: Int = 10, reject: Int = 50, concurrent: Int = 3) -> RateLimits.Federation {
        var limits = RateLimits().federation
        limits.sleepLimit = sleep
        limits.rejectLimit = reject
        limits.concurrent = concurrent
        return limits
    }

    @Test("a few run at once, the next wait their turn")
    func concurrency() {
        var requests = OriginRequests(limits(concurrent: 2))
        let decisions = (0..<3).map { _ in requests.arrive(at: 0) }
        #expect(decisions == [.run, .run, .wait])
        let turns = [requests.finish(), requests.finish(), requests.finish()]
        #expect(turns == [true, false, false])
        let next = requests.arrive(at: 0)
        #expect(next == .run)
    }

    @Test("more than the limit in a window sleep first; in the next window they do not")
    func sleeping() {
        var requests = OriginRequests(limits(sleep: 2, concurrent: 10))
        let decisions = (0..<3).map { _ in requests.arrive(at: 0) }
        #expect(decisions == [.run, .run, .sleep(milliseconds: 500)])
        let woken = requests.wake(), later = requests.arrive(at: 1001)
        #expect(woken == .run && later == .run)
    }

    @Test("when too many wait, more are refused")
    func rejecting() {
        var requests = OriginRequests(limits(reject: 2, concurrent: 1))
        let decisions = (0..<4).map { _ in requests.arrive(at: 0) }
        #expect(decisions == [.run, .wait, .wait, .refuse(retryAfterMs: 100)])
    }

    @Test("an origin is forgotten when nothing of it is under way and its window is over")
    func forgetting() {
        var requests = OriginRequests(limits())
        _ = requests.arrive(at: 0)
        #expect(!requests.isForgettable(at: 5000))
        _ = requests.finish()
        #expect(!requests.isForgettable(at: 500) && requests.isForgettable(at: 5000))
    }

    @Test("a thousand requests all get their turn, three at a time")
    func turns() async throws {
        let limiter = FederationRateLimiter(limits(sleep: 10_000, reject: 10_000))
        let server = ServerName(trusted: "a.example")
        let counter = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<1000 {
                group.addTask {
                    try await limiter.run(server) {
                        await counter.enter()
                        await Task.yield()
                        await counter.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(await counter.total == 1000)
        #expect(await counter.most <= 3)
    }

    private actor Counter {
        var inside = 0, most = 0, total = 0
        func enter() {
            inside += 1
            total += 1
            most = max(most, inside)
        }
        func leave() { inside -= 1 }
    }
}
