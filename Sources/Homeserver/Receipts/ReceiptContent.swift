// The content of `m.receipt` as clients get it. Client-Server API §m.receipt.

import MatrixCore
import Persistence

/// Renders receipts of one room: `{event: {type: {user: {"ts": …, "thread_id": …}}}}`.
package enum ReceiptContent {
    /// - Parameter receipts: one per key. Where a user has several at the same event, the unthreaded one is shown: the format has
    ///   room for one.
    /// - Returns: a JSON object.
    package static func render(_ receipts: [(key: ReceiptKey, mark: ReceiptMark)]) -> [UInt8] {
        let sorted = receipts.sorted { isBefore($0, $1) }
        var writer = JSONWriter(capacity: 160 * receipts.count + 2)
        writer.object { writer in
            write(sorted[...], groupedBy: { $0.mark.event.text }, to: &writer) { events, writer in
                write(events, groupedBy: { $0.key.type }, to: &writer) { types, writer in
                    write(types, groupedBy: { $0.key.user.text }, to: &writer) { users, writer in
                        // The empty thread comes first.
                        guard let shown = users.first else { return }
                        writer.member("ts", shown.mark.time.milliseconds)
                        if !shown.key.thread.isEmpty { writer.member("thread_id", shown.key.thread.string) }
                    }
                }
            }
        }
        return writer.bytes
    }

    private typealias Receipt = (key: ReceiptKey, mark: ReceiptMark)

    private static func isBefore(_ a: Receipt, _ b: Receipt) -> Bool {
        if a.mark.event != b.mark.event { return a.mark.event < b.mark.event }
        if a.key.type != b.key.type { return a.key.type < b.key.type }
        if a.key.user != b.key.user { return a.key.user < b.key.user }
        return a.key.thread < b.key.thread
    }

    /// Writes a member for each run of receipts that have `name` in common.
    private static func write(
        _ receipts: ArraySlice<Receipt>, groupedBy name: (Receipt) -> ByteString, to writer: inout JSONWriter,
        each: (ArraySlice<Receipt>, inout JSONWriter) -> Void
    ) {
        var rest = receipts
        while let first = rest.first {
            let common = name(first)
            let run = rest.prefix { name($0) == common }
            writer.member(common.string, object: { writer in each(run, &writer) })
            rest = rest.dropFirst(run.count)
        }
    }
}
