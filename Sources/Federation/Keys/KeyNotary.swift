// What this server tells about the keys of others. Server-Server API §Querying keys through another server.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Vouches for other servers' keys: passes their documents on, with a signature of its own.
package struct KeyNotary: Sendable {
    /// Which keys of a server are wanted, and how long they should hold at least. Of no keys: what the server has.
    package struct Query: Sendable {
        package let server: ServerName
        package let keys: [ByteString: Timestamp?]
        /// How long they should hold, whichever they are.
        package let minimumValidUntil: Timestamp?

        package init(server: ServerName, keys: [ByteString: Timestamp?], minimumValidUntil: Timestamp? = nil) {
            self.server = server
            self.keys = keys
            self.minimumValidUntil = minimumValidUntil
        }
    }

    private let serverName: ServerName
    private let signingKey: SigningKey
    private let published: PublishedKeys
    private let keyRing: KeyRing
    private let configuration: FederationConfiguration
    private let database: any Database

    /// How many servers one request may have asked.
    package static let serverLimit = 100
    package static let keyLimit = 100

    package init(
        serverName: ServerName, signingKey: SigningKey, published: PublishedKeys, keyRing: KeyRing, configuration: FederationConfiguration,
        database: any Database
    ) {
        self.serverName = serverName
        self.signingKey = signingKey
        self.published = published
        self.keyRing = keyRing
        self.configuration = configuration
        self.database = database
    }

    /// Documents as JSON, with this server's signature.
    package func answer(_ queries: [Query]) async throws -> [[UInt8]] {
        try await withThrowingTaskGroup(of: (Int, [[UInt8]]).self) { group in
            for (index, query) in queries.prefix(Self.serverLimit).enumerated() {
                group.addTask { (index, try await documents(query)) }
            }
            var answers = Array(repeating: [[UInt8]](), count: min(queries.count, Self.serverLimit))
            for try await (index, documents) in group { answers[index] = documents }
            return answers.flatMap { $0 }
        }
    }

    private func documents(_ query: Query) async throws -> [[UInt8]] {
        if query.server == serverName { return [try published.document()] }
        guard configuration.allows(query.server) else { return [] }
        var stored = try await stored(query)
        if Self.isStale(stored, query, at: .now) {
            await keyRing.refresh(query.server)
            stored = try await self.stored(query)
        }
        return try stored.map { row in
            let document = try JSONDocument(parsing: row.json, limits: .strictEvent).root
            return try JSONSigning.sign(JSONObject(document), as: serverName.string, key: signingKey).canonicalBytes
        }
    }

    private func stored(_ query: Query) async throws -> [ServerKeyDocumentRow] {
        let keyIDs = Array(query.keys.keys)
        return try await database.read { try ServerKeyStore.documents(of: query.server, holding: keyIDs, on: $0) }
    }

    /// Whether the server has to be asked: a document is missing, holds too short, or is past the middle of its time.
    package static func isStale(_ documents: [ServerKeyDocumentRow], _ query: Query, at now: Timestamp) -> Bool {
        if documents.isEmpty { return true }
        let needed = (query.keys.values + [query.minimumValidUntil]).compactMap { $0 }.max()
        let names = documents.map { document -> Set<ByteString> in
            guard let json = try? JSONDocument(parsing: document.json, limits: .strictEvent).root else { return [] }
            return Set(["verify_keys", "old_verify_keys"].flatMap { json[$0].map { $0.members.map(\.key) } ?? [] })
        }
        if query.keys.keys.contains(where: { key in !names.contains { $0.contains(key) } }) { return true }
        return documents.contains { document in
            if let needed, document.validUntil < needed { return true }
            let middle = document.receivedAt.milliseconds / 2 + document.validUntil.milliseconds / 2
            return middle < now.milliseconds
        }
    }
}
