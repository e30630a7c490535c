// One transaction: what a server is told in one request. Server-Server API §Transactions.

import MatrixCore
import Persistence

/// Events and short-lived units for one server, and what of it is settled when the server has taken it.
package struct Transaction: Sendable {
    package var pdus: [OutboundPDU] = []
    package var edus: [OutboundEDU] = []

    /// Every event that concerns the server up to here is in this transaction or arrived before.
    package var eventsUpTo: StreamPosition?
    package var deviceUpdatesUpTo: StreamPosition?
    package var messagesUpTo: StreamPosition?
    /// The receipts among the EDUs, which wait again if the transaction fails.
    package var receipts: [OutboundReceipt] = []

    /// As many as the specification lets be in one transaction.
    package static let pduLimit = 50
    package static let eduLimit = 100

    package init() {}

    package var isEmpty: Bool { pdus.isEmpty && edus.isEmpty }

    /// The body of the request: canonical JSON. The units are copied into it as they are.
    package func body(origin: ServerName, at time: Timestamp) -> [UInt8] {
        let size = pdus.reduce(edus.reduce(128) { $0 + $1.json.count + 1 }) { $0 + $1.json.count + 1 }
        var writer = JSONWriter(capacity: size)
        writer.object { writer in
            if !edus.isEmpty { writer.member("edus", array: { list in for edu in edus { list.raw(edu.json) } }) }
            writer.member("origin", origin)
            writer.member("origin_server_ts", time)
            writer.member("pdus", array: { list in for pdu in pdus { list.raw(pdu.json) } })
        }
        return writer.bytes
    }
}
