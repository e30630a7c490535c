// Migration 28: by what registration tokens are found, and whose owners were told that their accounts end.

import MatrixCore

extension Migration {
    /// What belongs to a token or an account and stood elsewhere, or nowhere.
    package static let accountMarks = Migration(number: 28, name: "account marks") { _ in
        [
            // The SHA-256 of the token. The text stays: administrators read it. Whoever guesses is compared with the hash, of which no guess
            // tells the next byte.
            "ALTER TABLE registration_tokens ADD COLUMN token_hash {BLOB}",
            "CREATE UNIQUE INDEX registration_tokens_hash ON registration_tokens (token_hash)",

            // Whether the owner was told of this end of the account, or is not to be: Synapse's `account_validity.email_sent`.
            "ALTER TABLE users ADD COLUMN renewal_email_sent BOOLEAN NOT NULL DEFAULT false",
            "CREATE INDEX users_expiration ON users (expiration_ts) WHERE NOT renewal_email_sent",

            // Until now one mark stood for all accounts, among the readers of the commit stream.
            """
            UPDATE users SET renewal_email_sent = true
            WHERE expiration_ts <= (SELECT position FROM commit_readers WHERE name = 'account_expiry_notices')
            """,
            "DELETE FROM commit_readers WHERE name = 'account_expiry_notices'",
        ]
    } fill: { connection in
        // SQLite has no such function.
        for token in try connection.rows(SQL(once: "SELECT token FROM registration_tokens"), [], { $0.text(0) }) {
            try connection.execute(
                SQL(once: "UPDATE registration_tokens SET token_hash = $2 WHERE token = $1"),
                [.text(token), .blob(SHA256Hash.hash(Array(token.utf8)))])
        }
    }
}
