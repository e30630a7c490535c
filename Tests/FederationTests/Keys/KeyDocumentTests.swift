// What is believed of what a server says about its keys.

import Federation
import MatrixCore
import ServerConfiguration
import Testing

@Suite("Documents of keys")
struct KeyDocumentTests {
    private let server = TestServer("a.example")
    private let now = Timestamp(milliseconds: 1_700_000_000_000)
    private static let week: Int64 = 7 * 24 * 3_600_000

    @Test("keys hold as long as they say, but no longer than a week; old ones until they were retired")
    func validity() throws {
        let old = SigningKey.generate(version: "old")
        let expired = now.advanced(byMilliseconds: -5)
        for (said, held) in [(1000, 1000), (10 * Self.week, Self.week), (-1000, -1000)] as [(Int64, Int64)] {
            let object = try server.document(validUntil: now.advanced(byMilliseconds: said), old: [(old, expired)])
            let document = try KeyDocument(json(object), of: server.name, receivedAt: now)
            #expect(document.validUntil == now.advanced(byMilliseconds: said))
            #expect(
                document.keys.map { [$0.keyID.string, $0.verifyKey, "\($0.validUntil)"] } == [
                    [server.key.keyID, server.key.verifyKeyBase64, "\(now.advanced(byMilliseconds: held))"],
                    [old.keyID, old.verifyKeyBase64, "\(expired)"],
                ])
            #expect(document.json == object.canonicalBytes)
        }
    }

    @Test("another server's name, a wrong signature, a missing one: nothing of it is believed")
    func refused() throws {
        let later = now.advanced(byMilliseconds: 1000)
        let other = SigningKey.generate(version: "1")
        var unsigned = try server.document(validUntil: later)
        unsigned["signatures"] = nil
        var changed = try server.document(validUntil: later)
        changed["valid_until_ts"] = 5_000_000_000_000
        var timeless = try server.document(validUntil: later)
        timeless["valid_until_ts"] = nil
        var textual = try server.document(validUntil: later)
        textual["verify_keys"] = "all"
        let cases = [
            try server.document(validUntil: later, named: ServerName(trusted: "b.example")),
            try server.document(validUntil: later, signer: other),
            try server.document(validUntil: later, signer: SigningKey.generate(version: "unknown")), unsigned, changed, timeless, textual,
            [:],
        ]
        for object in cases {
            #expect(throws: KeyDocument.Rejection.self) { try KeyDocument(json(object), of: server.name, receivedAt: now) }
        }
    }

    @Test("a notary's answer counts where the notary signed it, by the keys that the operator has named")
    func notaries() throws {
        let notary = TestServer("notary.example")
        let later = now.advanced(byMilliseconds: 1000)
        let plain = try server.document(validUntil: later)
        let signed = try JSONSigning.sign(plain, as: notary.name.string, key: notary.key)
        let forged = try JSONSigning.sign(plain, as: notary.name.string, key: SigningKey.generate(version: "1"))
        func accepted(
            _ document: JSONObject, pinned: SigningKey? = nil, known: SigningKey? = nil, insecurely: Bool = false
        ) throws -> Bool {
            var rules = FederationConfiguration.KeyServer(name: notary.name)
            rules.acceptsKeysInsecurely = insecurely
            if let pinned { rules.verifyKeys[ByteString(pinned.keyID)] = pinned.verifyKey }
            var keys = ServerKeys()
            if let known { keys[notary.name, ByteString(known.keyID)] = ServerKey(known.verifyKey, validUntil: later) }
            let answer = try json(["server_keys": [.object(document)]])
            return !KeyFetcher.documents(in: answer, from: rules, notaryKeys: keys, at: now).isEmpty
        }
        #expect(try accepted(signed, known: notary.key))
        #expect(try accepted(signed, pinned: notary.key))
        #expect(try accepted(plain, insecurely: true))
        #expect(try !accepted(plain, known: notary.key))
        #expect(try !accepted(forged, known: notary.key))
        #expect(try !accepted(signed, pinned: SigningKey.generate(version: "1"), known: notary.key))
        #expect(try !accepted(signed))
    }

    @Test("fruitless fetches make pauses, a fruitful one ends them")
    func allowance() {
        var allowance = FetchAllowance()
        for _ in 0...FetchAllowance.free {
            #expect(allowance.allows(at: now))
            allowance.note(isFruitful: false, at: now)
        }
        #expect(!allowance.allows(at: now))
        #expect(allowance.allows(at: now.advanced(byMilliseconds: 2000)))
        allowance.note(isFruitful: false, at: now.advanced(byMilliseconds: 2000))
        #expect(!allowance.allows(at: now.advanced(byMilliseconds: 5000)))
        allowance.note(isFruitful: true, at: now)
        #expect(allowance.allows(at: now))
    }
}
