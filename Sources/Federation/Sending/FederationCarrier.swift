// Transactions as requests. Server-Server API §PUT /_matrix/federation/v1/send/{txnId}.

import Logging
import MatrixCore
import Persistence
import Synchronization

/// Sends transactions through the client for other servers, which signs them and tries again.
package struct FederationCarrier: TransactionCarrier {
    private let client: FederationClient
    private let identifiers: TransactionIDs
    private let logger: Logger

    /// Bytes of an answer. It names each event that was refused, with a sentence.
    private static let answerLimit = 1 << 20

    package init(client: FederationClient, logger: Logger) {
        self.client = client
        self.logger = logger
        identifiers = TransactionIDs()
    }

    package func deliver(_ transaction: Transaction, to server: ServerName) async throws(FederationFailure) {
        var request = FederationRequest.federation(
            "PUT", to: server, path: ["send", identifiers.next()], content: transaction.body(origin: client.serverName, at: .now))
        request.retries = .long
        request.isEndpointRequired = true
        request.bodyLimit = Self.answerLimit
        let response = try await client.send(request)
        logger.debug(
            "a transaction has arrived",
            metadata: ["server": "\(server)", "pdus": "\(transaction.pdus.count)", "edus": "\(transaction.edus.count)"])
        if !transaction.pdus.isEmpty { noteRefusals(in: response, of: server) }
    }

    /// What a server thinks of single events changes nothing for us, but tells the operator something.
    private func noteRefusals(in response: FederationResponse, of server: ServerName) {
        guard response.body.count > 100, let pdus = (try? response.json())?["pdus"] else { return }
        for (event, outcome) in pdus.members {
            guard let error = outcome["error"]?.string?.prefix(200) else { continue }
            logger.info("a server has refused an event", metadata: ["server": "\(server)", "event": "\(event)", "error": "\(error)"])
        }
    }
}

/// Numbers of transactions that do not come again after a restart: they follow the time in milliseconds.
private final class TransactionIDs: Sendable {
    private let last: Mutex<Int64>

    init() { last = Mutex(Timestamp.now.milliseconds) }

    func next() -> String {
        last.withLock { last in
            last = max(last + 1, Timestamp.now.milliseconds)
            return String(last)
        }
    }
}
