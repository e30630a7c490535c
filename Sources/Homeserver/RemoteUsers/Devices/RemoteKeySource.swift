// Where the keys of other servers' users come from.

import Federation
import MatrixCore

/// Asks other servers. `FederationClient` does it; tests answer by themselves.
package protocol RemoteKeySource: Sendable {
    func devices(of user: UserID, timeout: Duration) async throws(FederationFailure) -> JSON

    /// - Parameter users: with the wanted devices; none: all.
    func queryKeys(
        _ users: [(user: UserID, devices: [DeviceID])], at server: ServerName, timeout: Duration
    ) async throws(FederationFailure) -> JSON

    func claimKeys(
        _ claims: [UserID: [DeviceID: ByteString]], at server: ServerName, timeout: Duration
    ) async throws(FederationFailure) -> JSON
}

extension FederationClient: RemoteKeySource {}
