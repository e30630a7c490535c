// Cross-signing keys, and what users sign of each other: tables `cross_signing_keys` and `user_signatures` (migration 14).
// Client-Server API §Cross-signing.

import MatrixCore

/// What a cross-signing key is for.
package enum CrossSigningUsage: String, Sendable, Hashable, CaseIterable {
    /// Signs the other two.
    case master
    /// Signs the user's own devices.
    case selfSigning = "self_signing"
    /// Signs the master keys of other users.
    case userSigning = "user_signing"
}

/// One row of `cross_signing_keys`.
package struct CrossSigningKeyRow: Sendable, Hashable {
    package let user: UserID
    package let usage: CrossSigningUsage
    /// In unpadded Base64.
    package let publicKey: ByteString
    /// Canonical, with the signatures that everyone may see.
    package let json: [UInt8]

    package init(user: UserID, usage: CrossSigningUsage, publicKey: ByteString, json: [UInt8]) {
        self.user = user
        self.usage = usage
        self.publicKey = publicKey
        self.json = json
    }

    fileprivate init?(_ row: SQLRow) {
        guard let usage = CrossSigningUsage(rawValue: row.text(1)) else { return nil }
        self.init(user: UserID(trusted: row.text(0)), usage: usage, publicKey: ByteString(row.text(2)), json: row.blob(3))
    }
}

/// A signature of another user's master key.
package struct UserSignature: Sendable, Hashable {
    /// Whose key is signed.
    package let user: UserID
    /// The master key that is signed.
    package let publicKey: ByteString
    /// The signer's key: `ed25519:<public key>`.
    package let keyID: ByteString
    package let signature: String

    package init(user: UserID, publicKey: ByteString, keyID: ByteString, signature: String) {
        self.user = user
        self.publicKey = publicKey
        self.keyID = keyID
        self.signature = signature
    }

    fileprivate init(_ row: SQLRow) {
        self.init(
            user: UserID(trusted: row.text(0)), publicKey: ByteString(row.text(1)), keyID: ByteString(row.text(2)), signature: row.text(3))
    }
}

/// Reads and writes cross-signing keys and signatures.
package enum CrossSigningStore {
    // MARK: Keys

    /// The cross-signing keys of these users, also the user-signing keys, which only their owners may see.
    package static func keys(of users: [UserID], on connection: any SQLConnection) throws -> [CrossSigningKeyRow] {
        try connection.rows(
            "SELECT user_id, usage, public_key, json FROM cross_signing_keys WHERE {user_id IN $1}", [.texts(users.map(\.string))],
            CrossSigningKeyRow.init
        ).compactMap { $0 }
    }

    /// Sets the key of its usage. A permission to replace the earlier one without authentication ends.
    package static func set(_ key: CrossSigningKeyRow, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO cross_signing_keys (user_id, usage, public_key, json) VALUES ($1, $2, $3, $4)
            ON CONFLICT (user_id, usage)
            DO UPDATE SET public_key = excluded.public_key, json = excluded.json, replaceable_until_ts = NULL
            """, [.text(key.user.string), .text(key.usage.rawValue), .text(key.publicKey.string), .blob(key.json)])
    }

    /// Gives a key that is there other signatures.
    package static func setJSON(
        _ json: [UInt8], of usage: CrossSigningUsage, of user: UserID, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            "UPDATE cross_signing_keys SET json = $3 WHERE user_id = $1 AND usage = $2",
            [.text(user.string), .text(usage.rawValue), .blob(json)])
    }

    /// Takes a user's keys of these usages away.
    package static func delete(_ usages: [CrossSigningUsage], of user: UserID, on connection: any SQLConnection) throws {
        guard !usages.isEmpty else { return }
        try connection.enqueue(
            "DELETE FROM cross_signing_keys WHERE user_id = $1 AND {usage IN $2}", [.text(user.string), .texts(usages.map(\.rawValue))])
    }

    /// Whether a cross-signing key of the user has this name, which no device may have then.
    package static func isPublicKey(_ device: DeviceID, of user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.exists(
            "SELECT 1 FROM cross_signing_keys WHERE user_id = $1 AND public_key = $2", [.text(user.string), .text(device.string)])
    }

    // MARK: Replacing without authentication

    /// Lets a user replace their master key without authentication until a time; false where there is none.
    package static func setReplaceable(until time: Timestamp, of user: UserID, on connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "UPDATE cross_signing_keys SET replaceable_until_ts = $2 WHERE user_id = $1 AND usage = 'master'",
            [.text(user.string), .int(time.milliseconds)]) == 1
    }

    package static func replaceableUntil(of user: UserID, on connection: any SQLConnection) throws -> Timestamp? {
        try connection.first(
            "SELECT replaceable_until_ts FROM cross_signing_keys WHERE user_id = $1 AND usage = 'master'", [.text(user.string)]
        ) { $0.optionalInt(0) }?.map { Timestamp(milliseconds: $0) }
    }

    // MARK: Signatures of other users' keys

    /// All signatures that a user's user-signing key made.
    package static func signatures(by signer: UserID, on connection: any SQLConnection) throws -> [UserSignature] {
        try connection.rows(
            "SELECT user_id, public_key, key_id, signature FROM user_signatures WHERE signer_id = $1", [.text(signer.string)],
            UserSignature.init)
    }

    package static func insert(_ signature: UserSignature, by signer: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO user_signatures (signer_id, user_id, public_key, key_id, signature) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (signer_id, user_id, key_id) DO UPDATE SET public_key = excluded.public_key, signature = excluded.signature
            """,
            [
                .text(signer.string), .text(signature.user.string), .text(signature.publicKey.string), .text(signature.keyID.string),
                .text(signature.signature),
            ])
    }

    /// Forgets the signatures that a user made.
    package static func deleteSignatures(by signer: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM user_signatures WHERE signer_id = $1", [.text(signer.string)])
    }

    /// Forgets the signatures that others made of a user's master key.
    package static func deleteSignatures(of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM user_signatures WHERE user_id = $1", [.text(user.string)])
    }

    // MARK: The end of an account

    package static func deleteAll(of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM cross_signing_keys WHERE user_id = $1", [.text(user.string)])
        try deleteSignatures(by: user, on: connection)
        try deleteSignatures(of: user, on: connection)
    }
}
