// The kinds of receipts. Client-Server API §Receipts, §Fully read markers.

import MatrixCore

/// A receipt that `m.receipt` carries. `m.fully_read` is none of them: it is account data.
package enum ReceiptType: String, Sendable, CaseIterable {
    case read = "m.read"
    /// Seen by its owner only.
    case readPrivate = "m.read.private"

    package var name: ByteString { ByteString(rawValue) }
}
