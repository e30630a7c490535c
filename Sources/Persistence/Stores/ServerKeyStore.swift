// The keys of other servers: tables `server_keys` and `server_key_documents` (migration 17). Server-Server API §Retrieving server keys.

import MatrixCore

/// A key of another server as it is stored.
package struct ServerKeyRow: Sendable, Hashable {
    package let server: ServerName
    package let keyID: ByteString
    /// Unpadded Base64.
    package let verifyKey: String
    package let validUntil: Timestamp

    package init(server: ServerName, keyID: ByteString, verifyKey: String, validUntil: Timestamp) {
        self.server = server
        self.keyID = keyID
        self.verifyKey = verifyKey
        self.validUntil = validUntil
    }
}

/// What a server said about its keys, with its signatures.
package struct ServerKeyDocumentRow: Sendable, Hashable {
    package let server: ServerName
    package let receivedAt: Timestamp
    package let validUntil: Timestamp
    /// Canonical.
    package let json: [UInt8]

    package init(server: ServerName, receivedAt: Timestamp, validUntil: Timestamp, json: [UInt8]) {
        self.server = server
        self.receivedAt = receivedAt
        self.validUntil = validUntil
        self.json = json
    }
}

/// Reads and writes the keys of other servers.
package enum ServerKeyStore {
    /// The keys with one of these names, of any of these servers.
    package static func keys(
        of servers: [ServerName], named keyIDs: [ByteString], on connection: any SQLConnection
    ) throws -> [ServerKeyRow] {
        try connection.rows(
            """
            SELECT server_name, key_id, verify_key, valid_until FROM server_keys WHERE {server_name IN $1} AND {key_id IN $2}
            """, [.texts(servers.map(\.string)), .texts(keyIDs.map(\.string))]
        ) { row in
            ServerKeyRow(
                server: ServerName(trusted: row.text(0)), keyID: ByteString(row.text(1)), verifyKey: row.text(2),
                validUntil: Timestamp(milliseconds: row.int(3)))
        }
    }

    /// The documents that hold these keys, each once; where none is named, the newest one.
    package static func documents(
        of server: ServerName, holding keyIDs: [ByteString], on connection: any SQLConnection
    ) throws -> [ServerKeyDocumentRow] {
        func make(_ row: SQLRow) -> ServerKeyDocumentRow {
            ServerKeyDocumentRow(
                server: server, receivedAt: Timestamp(milliseconds: row.int(0)), validUntil: Timestamp(milliseconds: row.int(1)),
                json: row.blob(2))
        }
        if keyIDs.isEmpty {
            return try connection.rows(
                """
                SELECT document, valid_until, json FROM server_key_documents
                WHERE server_name = $1 ORDER BY valid_until DESC, document DESC LIMIT 1
                """, [.text(server.string)], make)
        }
        return try connection.rows(
            """
            SELECT document, valid_until, json FROM server_key_documents
            WHERE server_name = $1 AND document IN (
                SELECT document FROM server_keys WHERE server_name = $1 AND {key_id IN $2})
            ORDER BY valid_until DESC, document DESC
            """, [.text(server.string), .texts(keyIDs.map(\.string))], make)
    }

    /// Stores a document and its keys. A key that is known from a document which holds longer stays as that says; a document that holds
    /// no key any more is removed.
    package static func store(
        _ document: ServerKeyDocumentRow, keys: [ServerKeyRow], on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO server_key_documents (server_name, document, valid_until, json) VALUES ($1, $2, $3, $4)
            ON CONFLICT (server_name, document) DO UPDATE SET valid_until = excluded.valid_until, json = excluded.json
            """,
            [
                .text(document.server.string), .int(document.receivedAt.milliseconds), .int(document.validUntil.milliseconds),
                .blob(document.json),
            ])
        // In one order, so that two writers of the same keys do not wait for each other in a circle.
        for key in keys.sorted(by: { $0.keyID < $1.keyID }) {
            try connection.enqueue(
                """
                INSERT INTO server_keys (server_name, key_id, verify_key, valid_until, document, document_valid_until)
                VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (server_name, key_id) DO UPDATE SET verify_key = excluded.verify_key, valid_until = excluded.valid_until,
                    document = excluded.document, document_valid_until = excluded.document_valid_until
                WHERE server_keys.document_valid_until <= excluded.document_valid_until
                """,
                [
                    .text(key.server.string), .text(key.keyID.string), .text(key.verifyKey), .int(key.validUntil.milliseconds),
                    .int(document.receivedAt.milliseconds), .int(document.validUntil.milliseconds),
                ])
        }
        try connection.enqueue(
            """
            DELETE FROM server_key_documents WHERE server_name = $1
                AND document NOT IN (SELECT document FROM server_keys WHERE server_name = $1)
            """, [.text(document.server.string)])
    }
}
