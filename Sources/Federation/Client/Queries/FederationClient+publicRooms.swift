// Asking for the room directories of other servers. Server-Server API §Public Room Directory.

import MatrixCore

/// What is asked of another server's room directory. Its tokens are its own.
package struct PublicRoomsQuery: Sendable, Hashable {
    package var limit: Int64?
    package var since: String?
    /// As in the Client-Server API: with it, the directory is searched.
    package var filter: JSONObject?
    package var includesAllNetworks = false
    package var network: String?

    package init() {}
}

extension FederationClient {
    /// Bytes: a page is as large as the other server wishes.
    private static let pageLimit = 4 * 1024 * 1024

    /// GET or POST /publicRooms.
    package func publicRooms(_ query: PublicRoomsQuery, of server: ServerName) async throws(FederationFailure) -> JSON {
        var request: FederationRequest
        if let filter = query.filter {
            var content: JSONObject = ["filter": .object(filter), "include_all_networks": .bool(query.includesAllNetworks)]
            content["limit"] = query.limit.map { .int($0) }
            content["since"] = query.since.map { .string($0) }
            content["third_party_instance_id"] = query.network.map { .string($0) }
            request = .federation("POST", to: server, path: ["publicRooms"], content: content.canonicalBytes)
        } else {
            var parameters = [("include_all_networks", query.includesAllNetworks ? "true" : "false")]
            if let limit = query.limit { parameters.append(("limit", String(limit))) }
            if let since = query.since { parameters.append(("since", since)) }
            if let network = query.network { parameters.append(("third_party_instance_id", network)) }
            request = .federation("GET", to: server, path: ["publicRooms"], query: parameters)
        }
        request.timeout = .seconds(20)
        request.bodyLimit = Self.pageLimit
        return try await json(request)
    }
}
