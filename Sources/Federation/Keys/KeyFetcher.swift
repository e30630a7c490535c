// Asks for keys: servers for their own, and notaries for those of many. Server-Server API §Retrieving server keys.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// How keys come from the network.
package protocol KeySource: Sendable {
    /// The server's own document; nil where there is none.
    ///
    /// - Parameter isAlive: it is asked also where it has not answered lately, as there are signs of life.
    func document(of server: ServerName, isAlive: Bool) async -> KeyDocument?
    /// What a notary says about many servers' keys, in one request.
    func documents(
        from notary: FederationConfiguration.KeyServer, keys: [ServerKeyRequirement], notaryKeys: ServerKeys
    ) async -> [KeyDocument]
}

package struct KeyFetcher: KeySource {
    private let client: FederationClient
    private let logger: Logger

    private static let timeout: Duration = .seconds(10)
    private static let documentLimit = 1000
    private static let notaryByteLimit = 16 * 1024 * 1024

    package init(client: FederationClient, logger: Logger) {
        self.client = client
        self.logger = logger
    }

    package func document(of server: ServerName, isAlive: Bool) async -> KeyDocument? {
        var request = FederationRequest("GET", to: server, path: ["_matrix", "key", "v2", "server"])
        request.isSigned = false
        request.retries = .none
        request.timeout = Self.timeout
        request.bodyLimit = KeyDocument.byteLimit
        request.ignoresBackoff = isAlive
        do {
            let body = try await client.send(request).body
            return try KeyDocument(JSONDocument(parsing: body, limits: .strictEvent).root, of: server, receivedAt: .now)
        } catch {
            logger.info("no keys from their server", metadata: ["server": "\(server)", "error": "\(error)"])
            return nil
        }
    }

    package func documents(
        from notary: FederationConfiguration.KeyServer, keys: [ServerKeyRequirement], notaryKeys: ServerKeys
    ) async -> [KeyDocument] {
        var content = JSONWriter()
        content.object { writer in
            writer.member("server_keys") { writer in
                for (server, wanted) in keys.byServer {
                    writer.member(server.string) { writer in
                        for (keyID, time) in wanted {
                            writer.member(keyID.string, object: { $0.member("minimum_valid_until_ts", time) })
                        }
                    }
                }
            }
        }
        var request = FederationRequest("POST", to: notary.name, path: ["_matrix", "key", "v2", "query"], content: content.bytes)
        request.isSigned = false
        request.retries = .none
        request.timeout = Self.timeout
        request.bodyLimit = Self.notaryByteLimit
        do {
            let body = try await client.send(request).body
            let answer = try JSONDocument(parsing: body, limits: .strictEvent).root
            return Self.documents(in: answer, from: notary, notaryKeys: notaryKeys, at: .now)
        } catch {
            logger.info("no keys from a notary", metadata: ["server": "\(notary.name)", "error": "\(error)"])
            return []
        }
    }

    /// Those documents of a notary's answer that the notary has signed, and that hold by themselves.
    package static func documents(
        in answer: JSON, from notary: FederationConfiguration.KeyServer, notaryKeys: ServerKeys, at now: Timestamp
    ) -> [KeyDocument] {
        guard let list = answer["server_keys"], list.isArray else { return [] }
        return list.elements.prefix(documentLimit).compactMap { json in
            guard notary.acceptsKeysInsecurely || isSigned(json, by: notary, notaryKeys) else { return nil }
            return try? KeyDocument(json, receivedAt: now)
        }
    }

    /// Whether a document has a signature of the notary's that holds. Where the operator has named keys, only those count.
    private static func isSigned(_ json: JSON, by notary: FederationConfiguration.KeyServer, _ keys: ServerKeys) -> Bool {
        guard let signatures = json["signatures"]?[notary.name.text] else { return false }
        return signatures.members.prefix(EventSignatures.limit).contains { keyID, _ in
            let key = notary.verifyKeys.isEmpty ? keys[notary.name, keyID]?.key : notary.verifyKeys[keyID]
            guard let key else { return false }
            do throws(JSONSigning.Failure) {
                try JSONSigning.verify(json, signedBy: notary.name.text, keyID: keyID, key: key)
                return true
            } catch {
                return false
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ key: String, _ body: (inout JSONWriter) -> Void) {
        member(key, object: body)
    }
}
