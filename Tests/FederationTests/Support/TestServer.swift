// Another server, as far as its keys go.

import Federation
import MatrixCore
import Persistence
import ServerConfiguration
import Synchronization
import TestSupport

struct TestServer {
    let name: ServerName
    let key: SigningKey

    init(_ name: String, keyVersion: String = "1") {
        self.name = ServerName(trusted: name)
        key = SigningKey.generate(version: keyVersion)
    }

    var keyID: ByteString { ByteString(key.keyID) }

    /// What the server says about its keys.
    func document(
        validUntil: Timestamp, old: [(key: SigningKey, expired: Timestamp)] = [], named other: ServerName? = nil, signer: SigningKey? = nil
    ) throws -> JSONObject {
        var oldKeys: JSONObject = [:]
        for (key, expired) in old { oldKeys[key.keyID] = ["key": .string(key.verifyKeyBase64), "expired_ts": .int(expired.milliseconds)] }
        let current: JSONObject = [key.keyID: ["key": .string(key.verifyKeyBase64)]]
        let keys: JSONObject = [
            "server_name": .string((other ?? name).string), "valid_until_ts": .int(validUntil.milliseconds),
            "verify_keys": .object(current), "old_verify_keys": .object(oldKeys),
        ]
        return try JSONSigning.sign(keys, as: (other ?? name).string, key: signer ?? key)
    }

    func require(validUntil: Timestamp = Timestamp(milliseconds: 0)) -> ServerKeyRequirement {
        ServerKeyRequirement(server: name, keyID: keyID, minimumValidUntil: validUntil)
    }
}

func json(_ object: JSONObject) throws -> JSON { try JSONDocument(parsing: object.canonicalBytes, limits: .strictEvent).root }

/// Says of servers' keys what it was told.
final class FakeKeySource: KeySource {
    let direct = Mutex<[ServerName: JSONObject]>([:])
    let notary = Mutex<JSONObject?>(nil)
    let asked = Mutex<[String]>([])

    func document(of server: ServerName, isAlive: Bool) async -> KeyDocument? {
        asked.withLock { $0.append(server.string) }
        try? await Task.sleep(for: .milliseconds(5))
        guard let object = direct.withLock({ $0[server] }), let json = try? json(object) else { return nil }
        return try? KeyDocument(json, of: server, receivedAt: .now)
    }

    func documents(
        from notary: FederationConfiguration.KeyServer, keys: [ServerKeyRequirement], notaryKeys: ServerKeys
    ) async -> [KeyDocument] {
        asked.withLock { $0.append("notary: \(keys.count)") }
        guard let object = self.notary.withLock({ $0 }), let json = try? json(object) else { return [] }
        return KeyFetcher.documents(in: json, from: notary, notaryKeys: notaryKeys, at: .now)
    }
}
