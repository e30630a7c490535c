// What this server asks of identity servers. Identity Service API.

import MatrixCore
import Rooms

/// Servers that know to whom an address belongs. Each is named by a client, and none of them is trusted.
package protocol IdentityServers: Sendable {
    /// The user whom an address belongs to; nil where the server knows none, or does not answer.
    func user(of invite: ThirdPartyInvite) async throws -> UserID?

    /// Has an identity server keep an invite and tell the invited person. Identity Service API §Invitation storage.
    ///
    /// - Parameter details: of the room and the inviter.
    /// - Throws: `M_UNKNOWN` when it does not.
    func store(_ invite: ThirdPartyInvite, details: JSONObject) async throws -> StoredInvite

    /// Whether the identity server still stands by a key of it.
    ///
    /// - Throws: `M_UNKNOWN` with status 502 when it does not answer.
    func isValid(_ key: StoredInvite.Key) async throws -> Bool
}
