// The form in which a tally is stored.

import MatrixCore
import Persistence

extension UnreadTally {
    private static let formatVersion: UInt8 = 1

    /// All but the receipts, which have a table of their own: a version byte, then numbers of seven bits to a byte.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = [UnreadTally.formatVersion]
        func append(_ number: Int64) {
            var rest = UInt64(bitPattern: number)
            while rest >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            bytes.append(UInt8(rest))
        }
        append(evaluated.value)
        append(Int64(threads.count))
        for (id, thread) in threads.sorted(by: { $0.key < $1.key }) {
            append(Int64(id.count))
            bytes += id.bytes
            append(Int64(thread.older.notifications))
            append(Int64(thread.older.highlights))
            append(thread.olderEnd.value)
            append(Int64(thread.recent.count))
            var last = thread.olderEnd.value
            for notification in thread.recent {
                append((notification.position.value - last) << 1 | (notification.highlights ? 1 : 0))
                last = notification.position.value
            }
        }
        return bytes
    }

    /// - Returns: nil for what is no tally of this version: then the events are looked at again.
    package init?(encoded bytes: [UInt8]) {
        var rest = bytes[...]
        guard rest.popFirst() == UnreadTally.formatVersion else { return nil }
        func number() -> Int64? {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while let byte = rest.popFirst(), shift < 64 {
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return Int64(bitPattern: value) }
                shift += 7
            }
            return nil
        }
        func count() -> Int? { number().flatMap { $0 >= 0 && $0 <= Int64(rest.count) ? Int($0) : nil } }
        guard let evaluated = number(), let threadCount = count() else { return nil }
        var threads: [ByteString: Thread] = [:]
        for _ in 0..<threadCount {
            guard let length = count(), let id = ByteString(utf8: rest.prefix(length)) else { return nil }
            rest.removeFirst(length)
            guard let notifications = number(), let highlights = number(), let olderEnd = number(), let recentCount = count() else {
                return nil
            }
            var recent: [Notification] = []
            var last = olderEnd
            for _ in 0..<recentCount {
                guard let step = number() else { return nil }
                last &+= step >> 1
                recent.append(Notification(position: StreamPosition(last), highlights: step & 1 == 1))
            }
            let older = UnreadCounts(notifications: Int(notifications), highlights: Int(highlights))
            threads[id] = Thread(older: older, olderEnd: StreamPosition(olderEnd), recent: recent)
        }
        self.init(evaluated: StreamPosition(evaluated), threads: threads)
    }
}
