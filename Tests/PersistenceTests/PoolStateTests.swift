// The pool's decisions, with a clock that stands still until it is told.

import Persistence
import Testing

@Suite("Pool bookkeeping")
struct PoolStateTests {
    private let start = ContinuousClock.now

    private func pool(minimum: Int = 1, maximum: Int = 2) -> PoolState {
        PoolState(limits: PoolState.Limits(minimum: minimum, maximum: maximum))
    }

    private func at(_ seconds: Double, _ milliseconds: Int = 0) -> PoolState.Instant {
        start + .seconds(seconds) + .milliseconds(milliseconds)
    }

    /// Asks for a connection where none is free.
    private func wait(_ pool: inout PoolState, _ seconds: Double = 0) -> (waiter: Int, actions: [PoolState.Action]) {
        guard case .wait(let waiter, let actions) = pool.acquire(now: at(seconds)) else {
            Issue.record("a connection was free")
            return (0, [])
        }
        return (waiter, actions)
    }

    @Test("a free connection is lent at once, and the one used last goes first")
    func lending() {
        var pool = pool()
        let first = pool.adopt(now: at(0))
        let second = pool.adopt(now: at(0))
        expectEqual(pool.acquire(now: at(1)), .connection(second))
        expectEqual(pool.acquire(now: at(1)), .connection(first))
        expectEqual(pool.release(first, isUsable: true, now: at(2)), [])
        expectEqual(pool.release(second, isUsable: true, now: at(3)), [])
        expectEqual(pool.acquire(now: at(4)), .connection(second))
    }

    @Test("as many are opened as wait, and never more than the maximum")
    func opening() {
        var pool = pool(maximum: 2)
        let (first, opens) = wait(&pool)
        #expect(opens == [.open(connection: 2)])
        let (second, more) = wait(&pool)
        #expect(more == [.open(connection: 4)])
        let (third, none) = wait(&pool)
        #expect(none == [])
        expectEqual(pool.opened(4, now: at(1)), [.serve(waiter: first, connection: 4)])
        expectEqual(pool.release(4, isUsable: true, now: at(2)), [.serve(waiter: second, connection: 4)])
        expectEqual(pool.opened(2, now: at(3)), [.serve(waiter: third, connection: 2)])
        #expect(pool.total == 2)
        #expect(pool.waiting == 0)
    }

    @Test("a waiter is turned away when its patience ends, with the reason")
    func patience() {
        var pool = pool(maximum: 1)
        let (waiter, _) = wait(&pool)
        #expect(pool.nextDue() == at(10))
        expectEqual(pool.tick(now: at(9.9)), [])
        let actions = pool.tick(now: at(10))
        guard case .fail(waiter, let error) = actions.first else {
            Issue.record("nobody was turned away")
            return
        }
        #expect(error.kind == .unavailable)
        #expect(actions.count == 1)
    }

    @Test("a server that cannot be reached is tried again after pauses that double up to a bound")
    func backoff() {
        var pool = pool(maximum: 5)
        let refusal = DatabaseError(.unavailable, "connection refused")
        var (_, actions) = wait(&pool)
        var now = 0
        var pauses: [Int] = []
        for _ in 0..<9 {
            guard case .open(let connection) = actions.first, actions.count == 1 else {
                Issue.record("one connection was to be opened: \(actions)")
                return
            }
            expectEqual(pool.openFailed(connection, refusal, now: at(0, now)), [])
            // Others who come in the pause wait for its end.
            #expect(wait(&pool, Double(now) / 1000).actions == [])
            var milliseconds = 0
            repeat {
                milliseconds += 50
                actions = pool.tick(now: at(0, now + milliseconds)).filter { if case .open = $0 { true } else { false } }
            } while actions.isEmpty && milliseconds < 20_000
            pauses.append(milliseconds)
            now += milliseconds
        }
        #expect(pauses.prefix(5) == [50, 100, 200, 400, 800])
        #expect(pauses.last == 5000)
        // The reason is told to those who were turned away in between.
        _ = wait(&pool, Double(now) / 1000)
        guard case .fail(_, let error) = pool.tick(now: at(10, now)).last(where: { if case .fail = $0 { true } else { false } }) else {
            Issue.record("nobody was turned away")
            return
        }
        #expect(error.message.contains("connection refused"))
    }

    @Test("several attempts that fail together count as one")
    func failuresTogether() {
        var pool = pool(maximum: 3)
        let opened = [wait(&pool), wait(&pool), wait(&pool)].flatMap(\.actions)
        #expect(opened == [.open(connection: 2), .open(connection: 4), .open(connection: 6)])
        for connection in [2, 4, 6] {
            expectEqual(pool.openFailed(connection, DatabaseError(.unavailable, "no"), now: at(1)), [])
        }
        expectEqual(pool.tick(now: at(1, 49)), [])
        expectEqual(pool.tick(now: at(1, 50)), [.open(connection: 7)])
        // One got through: the others follow at once.
        expectEqual(pool.opened(7, now: at(1, 60)), [.serve(waiter: 1, connection: 7), .open(connection: 8), .open(connection: 9)])
    }

    @Test("a broken connection is closed, and another is opened for those who wait")
    func replacement() {
        var pool = pool(maximum: 1)
        let first = pool.adopt(now: at(0))
        expectEqual(pool.acquire(now: at(1)), .connection(first))
        let (waiter, none) = wait(&pool, 2)
        #expect(none == [])
        let actions = pool.release(first, isUsable: false, now: at(3))
        #expect(actions == [.close(connection: first), .open(connection: waiter + 1)])
        expectEqual(pool.opened(waiter + 1, now: at(4)), [.serve(waiter: waiter, connection: waiter + 1)])
    }

    @Test("idle connections are probed, and closed down to the minimum")
    func idleness() {
        var pool = pool(minimum: 1, maximum: 3)
        let first = pool.adopt(now: at(0))
        let second = pool.adopt(now: at(0))
        #expect(pool.nextDue() == at(30))
        expectEqual(pool.tick(now: at(30)), [.probe(connection: first), .probe(connection: second)])
        // A probe is no use: the time without use goes on.
        expectEqual(pool.release(first, isUsable: true, now: at(31)), [])
        expectEqual(pool.release(second, isUsable: true, now: at(31)), [])
        #expect(pool.nextDue() == at(60))
        #expect(pool.tick(now: at(60)).count == 1)
        #expect(pool.total == 1)
        #expect(pool.nextDue() == at(61))
        // A probe that finds a dead connection closes it.
        guard case .probe(let last) = pool.tick(now: at(61)).first else {
            Issue.record("the last connection was not probed")
            return
        }
        expectEqual(pool.release(last, isUsable: false, now: at(62)), [.close(connection: last)])
        #expect(pool.total == 0)
        #expect(pool.nextDue() == nil)
    }

    @Test("a waiter that went away is not served")
    func cancellation() {
        var pool = pool(maximum: 1)
        let connection = pool.adopt(now: at(0))
        expectEqual(pool.acquire(now: at(0)), .connection(connection))
        let (gone, _) = wait(&pool)
        let (stays, _) = wait(&pool)
        expectEqual(pool.cancel(waiter: gone), true)
        expectEqual(pool.cancel(waiter: gone), false)
        expectEqual(pool.release(connection, isUsable: true, now: at(1)), [.serve(waiter: stays, connection: connection)])
    }

    @Test("closing turns waiters away, and waits for what is lent")
    func closing() {
        var pool = pool(maximum: 1)
        let connection = pool.adopt(now: at(0))
        expectEqual(pool.acquire(now: at(0)), .connection(connection))
        let (waiter, _) = wait(&pool)
        expectEqual(pool.close(), [.fail(waiter: waiter, DatabaseError(.unavailable, "the database is closed"))])
        #expect(!pool.isDrained)
        expectEqual(pool.acquire(now: at(1)), .closed)
        expectEqual(pool.release(connection, isUsable: true, now: at(1)), [.close(connection: connection)])
        #expect(pool.isDrained)
    }
}
