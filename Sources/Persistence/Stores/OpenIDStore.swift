// Tokens by which users prove who they are: table `openid_tokens` (migration 17). Client-Server API §OpenID.

import MatrixCore

/// Reads and writes OpenID tokens, of which only hashes are stored.
package enum OpenIDStore {
    /// Stores a token, and forgets those that have expired.
    package static func insert(
        hash: [UInt8], user: UserID, expires: Timestamp, at now: Timestamp, on connection: any SQLConnection
    ) throws {
        try connection.enqueue("DELETE FROM openid_tokens WHERE expires <= $1", [.int(now.milliseconds)])
        try connection.enqueue(
            "INSERT INTO openid_tokens (token_hash, user_id, expires) VALUES ($1, $2, $3)",
            [.blob(hash), .text(user.string), .int(expires.milliseconds)])
    }

    /// Whose token it is; nil where there is none, or it has expired.
    package static func user(hash: [UInt8], at now: Timestamp, on connection: any SQLConnection) throws -> UserID? {
        try connection.first(
            "SELECT user_id FROM openid_tokens WHERE token_hash = $1 AND expires > $2", [.blob(hash), .int(now.milliseconds)]
        ) { UserID(trusted: $0.text(0)) }
    }
}
