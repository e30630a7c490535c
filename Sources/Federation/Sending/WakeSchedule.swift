// When which server is told what waits for it.

import DequeModule
import HeapModule
import MatrixCore

/// One structure for all servers: those that are tried again at some time, and those that are told soon, but not all at once.
/// A value; the times are milliseconds on the caller's clock.
package struct WakeSchedule: Sendable {
    private struct Entry: Comparable {
        let time: Int64
        let server: ServerName

        static func < (a: Entry, b: Entry) -> Bool { a.time == b.time ? a.server < b.server : a.time < b.time }
    }

    /// The time that counts of each server; the heap may hold older ones.
    private var times: [ServerName: Int64] = [:]
    private var heap = Heap<Entry>()
    private var soon: Deque<ServerName> = []
    private var isSoon: Set<ServerName> = []
    /// When those who are told soon were taken out last.
    private var takenAt: Int64?
    /// How many of them are told a second; does not become less while any wait.
    private var rate: Int64 = 0

    private let perSecond: Int

    /// Within how many seconds all are told that are to be told soon.
    private static let longestWait: Int64 = 30

    /// - Parameter perSecond: how many are told a second that can wait, unless there are very many.
    package init(perSecond: Int = 50) {
        self.perSecond = max(1, perSecond)
    }

    package var isEmpty: Bool { times.isEmpty && soon.isEmpty }

    /// At `time`; what was planned for the server before no longer counts.
    package mutating func wake(_ server: ServerName, at time: Int64) {
        times[server] = time
        heap.insert(Entry(time: time, server: server))
        // Entries that no longer count stay until their time; when they are most of the heap, they go.
        if heap.count > 64, heap.count > 2 * times.count { heap = Heap(times.map { Entry(time: $0.value, server: $0.key) }) }
    }

    package mutating func wakeSoon(_ server: ServerName) {
        if isSoon.insert(server).inserted { soon.append(server) }
    }

    package mutating func forget(_ server: ServerName) { times[server] = nil }

    /// Takes out who is to be told now.
    package mutating func takeDue(at now: Int64) -> [ServerName] {
        var due: [ServerName] = []
        while let first = heap.min, first.time <= now {
            heap.removeMin()
            if times[first.server] == first.time {
                times[first.server] = nil
                due.append(first.server)
            }
        }
        return due + takeSoon(at: now)
    }

    private mutating func takeSoon(at now: Int64) -> [ServerName] {
        guard !soon.isEmpty else {
            (takenAt, rate) = (nil, 0)
            return []
        }
        let elapsed = min(max(0, now - (takenAt ?? now)), 1000)
        rate = max(rate, Int64(perSecond), (Int64(soon.count) + Self.longestWait - 1) / Self.longestWait)
        let count = takenAt == nil ? 1 : Int(rate * elapsed / 1000)
        guard count > 0 else { return [] }
        takenAt = now
        let taken = Array(soon.prefix(count))
        soon.removeFirst(taken.count)
        isSoon.subtract(taken)
        return taken
    }

    /// When something may be due next; nil: nothing is planned.
    package func nextTime(after now: Int64) -> Int64? {
        let planned = heap.min?.time
        guard !soon.isEmpty else { return planned }
        return min(planned ?? .max, now + max(20, 1000 / Int64(perSecond)))
    }
}
