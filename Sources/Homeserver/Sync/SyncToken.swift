// Where a client stands in the stream: `since`, `next_batch` and `prev_batch`. Client-Server API §Syncing.

import MatrixCore
import Persistence

/// A place in the one stream of everything, as clients carry it: the stream position as decimal digits behind an `s`.
///
/// As `since` it means that the client has seen everything up to and including `position`; as `prev_batch` that the timeline
/// continues backwards from there.
package struct SyncToken: Sendable, Hashable {
    package let position: StreamPosition

    package init(_ position: StreamPosition) {
        self.position = position
    }

    /// - Throws: `M_UNKNOWN` with status 400, as Synapse does, for a text that is no token.
    package init(parsing text: String) throws(MatrixError) {
        guard let position = SyncToken.position(in: text) else {
            throw MatrixError(status: 400, errcode: "M_UNKNOWN", message: "Invalid stream token")
        }
        self.position = position
    }

    package var text: String { "s\(position.value)" }

    /// `s` and one to nineteen digits, behind a minus for the past that other servers have told of; nil for anything else.
    private static func position(in text: String) -> StreamPosition? {
        var bytes = text.utf8.makeIterator()
        guard bytes.next() == UInt8(ascii: "s") else { return nil }
        var value: Int64 = 0
        var digitCount = 0
        var isNegative = false
        while let byte = bytes.next() {
            if byte == UInt8(ascii: "-"), digitCount == 0, !isNegative {
                isNegative = true
                continue
            }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (tenfold, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isStillTooLarge) = tenfold.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !isTooLarge, !isStillTooLarge else { return nil }
            value = sum
            digitCount += 1
        }
        guard digitCount > 0 else { return nil }
        return max(StreamPosition(isNegative ? -value : value), .start)
    }
}
