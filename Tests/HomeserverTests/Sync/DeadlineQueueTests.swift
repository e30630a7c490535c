import Homeserver
import Testing

@Suite("Deadlines of waiting syncs")
struct DeadlineQueueTests {
    @Test("elements are due at their deadlines, never before and at most a slot later")
    func order() {
        var queue = DeadlineQueue<String>(slotLength: 50)
        _ = queue.insert("late", deadline: 1000)
        _ = queue.insert("early", deadline: 101)
        let first = queue.nextDeadline()
        #expect(first == 150)
        let tooEarly = queue.removeDue(at: 149)
        #expect(tooEarly == [])
        let early = queue.removeDue(at: 150)
        #expect(early == ["early"])
        let second = queue.nextDeadline()
        #expect(second == 1000)
        let late = queue.removeDue(at: 5000)
        #expect(late == ["late"])
        let none = queue.nextDeadline()
        #expect(none == nil)
    }

    @Test("one that was taken out is not due, and nobody is woken for an empty slot")
    func removal() {
        var queue = DeadlineQueue<String>(slotLength: 50)
        let ticket = queue.insert("gone", deadline: 100)
        _ = queue.insert("stays", deadline: 300)
        let removed = queue.remove(ticket)
        #expect(removed == "gone")
        let removedAgain = queue.remove(ticket)
        #expect(removedAgain == nil)
        let next = queue.nextDeadline()
        #expect(next == 300)
        #expect(queue.count == 1)
        _ = queue.insert("again", deadline: 100)
        let due = queue.removeDue(at: 300).sorted()
        #expect(due == ["again", "stays"])
        #expect(queue.count == 0)
    }

    @Test("it keeps count over many insertions and removals")
    func many() {
        var queue = DeadlineQueue<Int>(slotLength: 10)
        var tickets: [DeadlineQueue<Int>.Ticket] = []
        for number in 0..<1000 { tickets.append(queue.insert(number, deadline: Int64((number * 37) % 500))) }
        for (number, ticket) in tickets.enumerated() where number % 2 == 0 { queue.remove(ticket) }
        var due: [Int] = []
        var now: Int64 = 0
        while let next = queue.nextDeadline() {
            #expect(next >= now)
            now = next
            due += queue.removeDue(at: now)
        }
        #expect(due.sorted() == Array(stride(from: 1, to: 1000, by: 2)))
        let rest = queue.removeAll()
        #expect(rest == [])
    }
}

@Suite("Waiting syncs", .timeLimit(.minutes(10)))
struct SyncWaiterTests {
    @Test("a waiter is woken by the first who comes, also when that is before it waits")
    func first() async {
        let waiter = SyncWaiter(device: nil)
        waiter.wake(.changed)
        waiter.wake(.timedOut)
        #expect(await waiter.wait() == .changed)
    }

    @Test("the end of the client's task ends the wait")
    func cancellation() async {
        let waiter = SyncWaiter(device: nil)
        let task = Task { await waiter.wait() }
        task.cancel()
        #expect(await task.value == .cancelled)
    }

    @Test("the timer wakes each at its deadline, with an early one added last")
    func timer() async {
        let timer = SyncTimer()
        let running = Task { await timer.run() }
        let (late, early) = (SyncWaiter(device: nil), SyncWaiter(device: nil))
        let begin = SyncTimer.now
        let ticket = timer.add(late, deadline: begin + 60_000)
        try? await Task.sleep(for: .milliseconds(20))
        _ = timer.add(early, deadline: begin + 100)
        #expect(await early.wait() == .timedOut)
        let elapsed = SyncTimer.now - begin
        #expect(elapsed >= 100 && elapsed < 60_000)
        if let ticket { timer.remove(ticket) }
        timer.stop()
        await running.value
    }

    @Test(
        "long waits end together, at most a tenth early and never late; short ones are exact",
        arguments: [(0, 1), (1, 1), (250, 1), (9_999, 1), (10_000, 1000), (30_000, 3000), (39_999, 3000), (86_400_000, 8_640_000)])
    func deadlines(timeout: Int64, grid: Int64) {
        let before = SyncTimer.now
        let deadline = SyncTimer.deadline(after: timeout)
        let after = SyncTimer.now
        #expect(deadline <= after + timeout)
        if timeout < 10_000 {
            #expect(deadline >= before + timeout)
        } else {
            #expect(deadline % grid == 0)
            #expect(deadline > before + timeout - grid)
        }
    }

    @Test("a stopping server wakes all who wait and lets nobody wait any more")
    func stop() async {
        let timer = SyncTimer()
        let running = Task { await timer.run() }
        let (before, after) = (SyncWaiter(device: nil), SyncWaiter(device: nil))
        _ = timer.add(before, deadline: SyncTimer.now + 60_000)
        timer.stop()
        #expect(await before.wait() == .stopping)
        #expect(timer.add(after, deadline: SyncTimer.now + 60_000) == nil)
        #expect(await after.wait() == .stopping)
        await running.value
    }
}
