// Where a client of sliding sync stands: `pos`. MSC4186.

import MatrixCore
import Persistence

/// A place on one connection and in the one stream of everything.
///
/// What was sent of each room is remembered by the server under the connection and its number; all that belongs to no room follows from
/// the position in the stream. Connection 0 is one on which no rooms were asked for, so that there is nothing to remember.
package struct SlidingSyncPosition: Sendable, Hashable {
    /// Which connection, as long as it lives: one that begins anew gets another key.
    package let connection: Int64
    /// Which answer on the connection.
    package let number: Int64
    package let stream: StreamPosition

    package init(connection: Int64, number: Int64, stream: StreamPosition) {
        self.connection = connection
        self.number = number
        self.stream = stream
    }

    /// - Throws: `M_UNKNOWN` with status 400, as Synapse does, for a text that is no position.
    package init(parsing text: String) throws(MatrixError) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
        let place = parts[0].split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count == 2, place.count == 2, let connection = Self.number(place[0]), let number = Self.number(place[1]) else {
            throw MatrixError(status: 400, errcode: "M_UNKNOWN", message: "Invalid stream token")
        }
        self.connection = connection
        self.number = number
        stream = try SyncToken(parsing: String(decoding: parts[1], as: UTF8.self)).position
    }

    private static func number(_ digits: Substring.UTF8View) -> Int64? {
        guard digits.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else { return nil }
        return Int64(String(decoding: digits, as: UTF8.self))
    }

    package var text: String { "\(connection)-\(number)/\(SyncToken(stream).text)" }
}
