// Asking other servers what rooms look like. Server-Server API §Spaces.

import MatrixCore

extension FederationClient {
    /// GET /hierarchy/{roomId}.
    package func hierarchy(of room: RoomID, suggestedOnly: Bool, at server: ServerName) async throws(FederationFailure) -> JSON {
        var request = FederationRequest.federation(
            "GET", to: server, path: ["hierarchy", room.string], query: [("suggested_only", suggestedOnly ? "true" : "false")])
        request.timeout = .seconds(10)
        // Others may know the room as well.
        request.retries = .none
        // Bytes: a space with some thousand children.
        request.bodyLimit = 2 * 1024 * 1024
        return try await json(request)
    }
}
