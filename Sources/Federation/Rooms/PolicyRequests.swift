// What policy servers are asked. Server-Server API §Asking for a Policy Server signature on an event.

import MatrixCore
import Rooms

extension FederationClient: PolicySignatures {
    /// How long a sender waits at most: some look at pictures meanwhile.
    private static let policyTimeout = Duration.seconds(30)

    package func signature(on event: Event, by server: ServerName) async throws(MatrixError) -> String {
        var request = FederationRequest("POST", to: server, path: ["_matrix", "policy", "v1", "sign"], content: event.json)
        request.timeout = Self.policyTimeout
        request.retries = .none
        // It may be nothing but a policy server, which does not answer to much else.
        request.ignoresBackoff = true
        let answer: JSON
        do {
            answer = try await json(request)
        } catch {
            throw error.asMatrixError
        }
        guard let signature = answer[server.text]?[PolicyServer.keyID]?.string else {
            throw .forbidden("The policy server of the room has not signed the event")
        }
        return signature
    }
}
