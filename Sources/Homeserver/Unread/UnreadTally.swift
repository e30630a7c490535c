// The unread notifications of one user in one room: what an event and a receipt do to them. Client-Server API §Receiving
// notifications, §Marking notifications as read.

import MatrixCore
import Persistence

/// Counts as events are looked at one after the other, in the order of their positions.
///
/// The newest notifications are kept one by one, so that a receipt anywhere among them leaves the right number; older ones are only
/// counted. A receipt that ends among those has everything after it looked at again.
package struct UnreadTally: Sendable, Hashable {
    /// Every event up to here has been looked at, or need not be.
    package private(set) var evaluated: StreamPosition
    /// The user has read everything up to here, in all threads.
    package private(set) var readUpTo: StreamPosition
    /// How far the user has read single threads, where that lies after `evaluated`: a receipt may be ahead of the events looked at.
    package private(set) var threadsReadUpTo: [ByteString: StreamPosition] = [:]
    package private(set) var threads: [ByteString: Thread] = [:]

    /// The unread notifications of one thread.
    package struct Thread: Sendable, Hashable {
        /// Those that are only counted.
        package fileprivate(set) var older = UnreadCounts.zero
        /// Where the last of those stands.
        package fileprivate(set) var olderEnd = StreamPosition.zero
        /// The others, by position.
        package fileprivate(set) var recent: [Notification] = []

        package init() {}

        package init(older: UnreadCounts, olderEnd: StreamPosition, recent: [Notification]) {
            self.older = older
            self.olderEnd = olderEnd
            self.recent = recent
        }

        var isEmpty: Bool { recent.isEmpty && older.notifications == 0 }
    }

    /// An event that was notified about.
    package struct Notification: Sendable, Hashable {
        package let position: StreamPosition
        package let highlights: Bool

        package init(position: StreamPosition, highlights: Bool) {
            self.position = position
            self.highlights = highlights
        }
    }

    /// How many notifications of a room are kept one by one.
    package static let recentLimit = 1000

    /// - Parameter readUpTo: nothing up to here is unread.
    package init(readUpTo: StreamPosition) {
        self.readUpTo = readUpTo
        evaluated = readUpTo
    }

    package init(evaluated: StreamPosition, threads: [ByteString: Thread]) {
        self.evaluated = evaluated
        self.threads = threads
        readUpTo = .zero
    }

    // MARK: Events

    /// What an event does.
    package enum Step: Sendable, Hashable {
        /// Its push rules say that the user is to be notified of it.
        case notify(StreamPosition, thread: ByteString, highlights: Bool)
        /// The user sent it, and so has read what came before it in its thread.
        case read(StreamPosition, thread: ByteString)
        /// The user came into the room or left it: what came before is none of their business.
        case begin(StreamPosition)
        /// The event at this position was redacted.
        case redact(StreamPosition)
    }

    /// Takes in the next events.
    ///
    /// - Parameters:
    ///   - steps: of all events after `evaluated` and up to `end`, in order.
    package mutating func apply(_ steps: [Step], upTo end: StreamPosition) {
        for step in steps {
            switch step {
            case .notify(let position, let thread, let highlights):
                guard position > readUpTo, position > threadsReadUpTo[thread] ?? .zero else { continue }
                threads[thread, default: Thread()].recent.append(Notification(position: position, highlights: highlights))
            case .read(let position, let thread):
                drop(thread, upTo: position)
            case .begin(let position):
                threads.removeAll()
                readUpTo = max(readUpTo, position)
            case .redact(let position):
                remove(position)
            }
        }
        evaluated = max(evaluated, end)
        if !threadsReadUpTo.isEmpty { threadsReadUpTo = threadsReadUpTo.filter { $0.value > evaluated } }
        compact()
    }

    /// Leaves out what lies before `position`: the room has more events than are ever looked at again.
    package mutating func skip(to position: StreamPosition) {
        evaluated = max(evaluated, position)
    }

    // MARK: Reading

    /// The user has read up to an event.
    ///
    /// - Parameter thread: nil for all threads.
    package mutating func read(_ position: StreamPosition, thread: ByteString?) {
        guard position > readUpTo else { return }
        if let thread {
            if position > evaluated { threadsReadUpTo[thread] = max(threadsReadUpTo[thread] ?? .zero, position) }
            if let known = threads[thread], known.older.notifications > 0, position < known.olderEnd { return startAnew() }
            drop(thread, upTo: position)
            return
        }
        let isAmongOlder = threads.values.contains { $0.older.notifications > 0 && position < $0.olderEnd }
        readUpTo = position
        guard !isAmongOlder else { return startAnew() }
        for thread in Array(threads.keys) { drop(thread, upTo: position) }
        evaluated = max(evaluated, position)
    }

    /// Has everything that may be unread looked at again. The receipts of threads have to be told again, too.
    private mutating func startAnew() {
        threads.removeAll()
        threadsReadUpTo.removeAll()
        evaluated = readUpTo
        mustLearnReceipts = true
    }

    /// Set when the user's receipts in the room must be read again before events are looked at.
    package private(set) var mustLearnReceipts = false

    /// Takes in all receipts of the user in the room; the empty thread stands for the unthreaded one.
    package mutating func learn(_ receipts: [ByteString: StreamPosition]) {
        mustLearnReceipts = false
        if let unthreaded = receipts[""] { read(unthreaded, thread: nil) }
        for (thread, position) in receipts where !thread.isEmpty { read(position, thread: thread) }
        // Among the older ones once more: then nothing but the receipts is known, and they have just been told.
        if mustLearnReceipts {
            mustLearnReceipts = false
            for (thread, position) in receipts where !thread.isEmpty && position > evaluated { threadsReadUpTo[thread] = position }
        }
    }

    private mutating func drop(_ thread: ByteString, upTo position: StreamPosition) {
        guard var known = threads[thread] else { return }
        if position >= known.olderEnd { known.older = .zero }
        let first = known.recent.firstIndex { $0.position > position } ?? known.recent.count
        known.recent.removeFirst(first)
        threads[thread] = known.isEmpty ? nil : known
    }

    private mutating func remove(_ position: StreamPosition) {
        for (thread, var known) in threads {
            guard let index = known.recent.firstIndex(where: { $0.position == position }) else { continue }
            known.recent.remove(at: index)
            threads[thread] = known.isEmpty ? nil : known
            return
        }
    }

    /// Keeps no more than the limit one by one. Halves what is kept, so that this is rare.
    private mutating func compact() {
        let count = threads.values.reduce(0) { $0 + $1.recent.count }
        guard count > UnreadTally.recentLimit else { return }
        let positions = threads.values.flatMap { $0.recent.map(\.position) }.sorted()
        let end = positions[count - UnreadTally.recentLimit / 2 - 1]
        for (thread, var known) in threads {
            let gone = known.recent.prefix { $0.position <= end }
            guard let last = gone.last else { continue }
            known.older =
                known.older
                + UnreadCounts(notifications: gone.count, highlights: gone.reduce(0) { $0 + ($1.highlights ? 1 : 0) })
            known.olderEnd = last.position
            known.recent.removeFirst(gone.count)
            threads[thread] = known
        }
    }

    // MARK: Counting

    /// What is unread of the events up to `end`.
    ///
    /// - Parameter since: for `isNews`.
    package func counts(upTo end: StreamPosition, since: StreamPosition?) -> RoomUnread {
        var unread = RoomUnread()
        for (thread, known) in threads {
            var counts = known.older
            for notification in known.recent where notification.position <= end {
                counts.notifications += 1
                if notification.highlights { counts.highlights += 1 }
                if let since, notification.position > since { unread.isNews = true }
            }
            if thread == ThreadMembership.main {
                unread.main = counts
            } else if counts.notifications > 0 {
                unread.threads[thread] = counts
            }
        }
        return unread
    }

    /// Whether the event at this position is among the unread ones.
    package func isUnread(_ position: StreamPosition, thread: ByteString) -> Bool {
        guard position > readUpTo, let known = threads[thread] else { return false }
        if known.older.notifications > 0, position <= known.olderEnd { return true }
        return known.recent.contains { $0.position == position }
    }
}
