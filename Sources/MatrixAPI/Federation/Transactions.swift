// What other servers send of their own accord. Server-Server API §Transactions.

import Federation
import Homeserver
import MatrixCore

enum TransactionRoutes {
    static let table: [Route] = [.federation(.put, "/send/{txnId}", bodyLimit: bodyLimit, send)]

    /// Fifty of the longest events with what is in `unsigned`, and a hundred EDUs.
    private static let bodyLimit = 200 * Event.byteLimit

    private static func send(_ context: APIContext) async throws -> APIResponse {
        .json(
            bytes: try await context.homeserver.transactions.receive(
                InboundTransaction(context.body()), id: context.parameter("txnId"), from: context.origin))
    }
}
