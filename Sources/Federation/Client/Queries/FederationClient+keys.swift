// Asking for the devices of other servers' users, and for their keys. Server-Server API §Device Management, §End-to-End Encryption.

import MatrixCore

extension FederationClient {
    /// GET /user/devices/{userId}.
    package func devices(of user: UserID, timeout: Duration) async throws(FederationFailure) -> JSON {
        var request = FederationRequest.federation("GET", to: user.server, path: ["user", "devices", user.string])
        request.timeout = timeout
        return try await json(request)
    }

    /// POST /user/keys/query.
    ///
    /// - Parameter users: all of `server`, with the wanted devices; none: all.
    package func queryKeys(
        _ users: [(user: UserID, devices: [DeviceID])], at server: ServerName, timeout: Duration
    ) async throws(FederationFailure) -> JSON {
        let wanted = JSONObject(users.map { ($0.user.text, .array($0.devices.map { .string($0.string) })) })
        return try await post("query", ["device_keys": .object(wanted)], to: server, timeout: timeout)
    }

    /// POST /user/keys/claim.
    ///
    /// - Parameter claims: for each user of `server` the wanted algorithm of each device.
    package func claimKeys(
        _ claims: [UserID: [DeviceID: ByteString]], at server: ServerName, timeout: Duration
    ) async throws(FederationFailure) -> JSON {
        let wanted = JSONObject(
            claims.map { user, devices in
                (user.text, .object(JSONObject(devices.map { ($0.key.text, .string($0.value.string)) })))
            })
        return try await post("claim", ["one_time_keys": .object(wanted)], to: server, timeout: timeout)
    }

    private func post(
        _ action: String, _ content: JSONObject, to server: ServerName, timeout: Duration
    ) async throws(FederationFailure) -> JSON {
        var request = FederationRequest.federation(
            "POST", to: server, path: ["user", "keys", action], content: content.canonicalBytes)
        request.timeout = timeout
        return try await json(request)
    }
}
