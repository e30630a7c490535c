// Bytes between a connection and a task.

import Federation
import Synchronization
import Testing

@Suite struct ByteQueueTests {
    private struct Broken: Error {}

    @Test("what was appended is taken in one go, then the end")
    func order() async throws {
        let queue = ByteQueue()
        queue.append([1, 2])
        queue.append([3])
        queue.finish()
        queue.append([4])
        #expect(try await queue.next() == [1, 2, 3])
        #expect(try await queue.next() == nil)
    }

    @Test("who waits is woken by bytes, by the end, and by a failure")
    func waiting() async throws {
        let (wanted, isWanted) = AsyncStream.makeStream(of: Void.self)
        let queue = ByteQueue(onWanted: { isWanted.yield() })
        let first = Task { try await queue.next() }
        for await _ in wanted { break }
        queue.append([1])
        #expect(try await first.value == [1])
        queue.append([2])
        queue.fail(Broken())
        #expect(try await queue.next() == [2])
        await #expect(throws: Broken.self) { try await queue.next() }
    }

    @Test("a full queue says when it is not full any more")
    func full() async throws {
        let drained = Atomic(0)
        let queue = ByteQueue(onDrain: { drained.add(1, ordering: .relaxed) })
        queue.append([UInt8](repeating: 0, count: ByteQueue.limit - 1))
        #expect(!queue.isFull)
        queue.append([0])
        #expect(queue.isFull)
        #expect(try await queue.next()?.count == ByteQueue.limit)
        #expect(!queue.isFull && drained.load(ordering: .relaxed) == 1)
    }

    @Test("a queue that nobody wants any more tells once, and not when it has ended")
    func abandoned() async throws {
        let told = Atomic(0)
        let queue = ByteQueue(onAbandon: { told.add(1, ordering: .relaxed) })
        queue.abandon()
        queue.abandon()
        #expect(told.load(ordering: .relaxed) == 1)
        #expect(try await queue.next() == nil)
        let ended = ByteQueue(onAbandon: { told.add(1, ordering: .relaxed) })
        ended.finish()
        ended.abandon()
        #expect(told.load(ordering: .relaxed) == 1)
    }
}
