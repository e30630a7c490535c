// What a server sends of its own accord. Server-Server API §Transactions.

import MatrixCore

/// A transaction of another server, read as far as it can be without the rooms it is about.
package struct InboundTransaction: Sendable {
    package let pdus: [JSON]
    package let edus: [EDU]

    /// Server-Server API §Transactions, limits.
    package static let pduLimit = 50
    package static let eduLimit = 100

    /// - Throws: `M_BAD_JSON`; `M_UNKNOWN` for more than a transaction may hold, as Synapse.
    package init(_ body: JSON) throws(MatrixError) {
        guard let pdus = body["pdus"], pdus.isArray else { throw .badJSON("pdus must be a list") }
        let edus = body["edus"]
        guard edus?.isArray ?? true else { throw .badJSON("edus must be a list") }
        guard pdus.count <= Self.pduLimit else { throw .unknown("A transaction has at most \(Self.pduLimit) PDUs") }
        guard (edus?.count ?? 0) <= Self.eduLimit else { throw .unknown("A transaction has at most \(Self.eduLimit) EDUs") }
        self.pdus = Array(pdus.elements)
        self.edus = edus.map { $0.elements.compactMap { EDU($0) } } ?? []
    }
}
