import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Upload of cross-signing keys")
struct CrossSigningUploadTests {
    static let alice = UserID(trusted: "@alice:example.org")
    let identity = CrossSigningIdentity(alice)

    private func upload(_ body: JSONObject) throws -> CrossSigningUpload { try CrossSigningUpload(body.parsed, of: Self.alice) }

    private func changed(_ change: (inout JSONObject) -> Void) throws -> JSONObject {
        var master = try identity.key(.master)
        change(&master)
        return ["master_key": .object(master)]
    }

    @Test("what is no key of this user for this usage is refused")
    func refused() throws {
        let other = Signer(Self.alice)
        let bodies: [JSONObject] = [
            ["master_key": "key"],
            ["self_signing_key": .object(try identity.key(.master))],
            try changed { $0["user_id"] = "@mallory:example.org" },
            try changed { $0["usage"] = [] },
            try changed { $0["usage"] = "master" },
            try changed { $0["usage"] = ["master", 1] },
            try changed { $0["keys"] = [:] },
            try changed { $0["keys"] = .object(JSONObject([("ed25519:A", "A")])) },
            try changed { $0["keys"] = .object(JSONObject([(ByteString(other.keyID), .string(identity.master.publicKey))])) },
            try changed { $0["keys"] = .object(JSONObject([(ByteString("x:\(other.name)"), .string(other.publicKey))])) },
            try changed {
                $0["keys"] = .object(
                    JSONObject([
                        (ByteString(other.keyID), .string(other.publicKey)),
                        (ByteString(identity.master.keyID), .string(identity.master.publicKey)),
                    ]))
            },
            try changed { $0["signatures"] = ["@alice:example.org": ["a"]] },
        ]
        for body in bodies {
            let error = #expect(throws: MatrixError.self) { try upload(body) }
            #expect(error?.errcode == "M_INVALID_PARAM", "\(body)")
        }
        let tooLarge = try changed { $0["more"] = .string(String(repeating: "x", count: 70_000)) }
        #expect(throws: MatrixError.self) { try upload(tooLarge) }
        #expect(try upload(["auth": [:], "master_key": .null]).keys.isEmpty)
    }

    @Test("the first keys are free, the same ones again are nothing new, others are a replacement")
    func decisions() throws {
        let all = try upload(identity.body())
        #expect(all.decision(stored: [:]) == .first)
        #expect(all.decision(stored: all.keys) == .nothingNew)
        #expect(try upload([:]).decision(stored: [:]) == .nothingNew)
        let master = try upload(identity.body([.master]))
        #expect(master.decision(stored: all.keys) == .nothingNew)
        #expect(all.decision(stored: master.keys) == .replacement)
        #expect(try upload(CrossSigningIdentity(Self.alice).body([.master])).decision(stored: master.keys) == .replacement)
        // The same key with a further signature is not the same any more; the stored one may have more.
        let signed = try upload(["master_key": .object(Signer(Self.alice, device: "PHONE").sign(identity.key(.master)))])
        #expect(signed.decision(stored: master.keys) == .replacement)
        #expect(master.decision(stored: signed.keys) == .nothingNew)
    }

    @Test("the master key that comes along, or else the stored one, must have signed the others")
    func signatures() throws {
        let other = CrossSigningIdentity(Self.alice)
        let stored = try upload(identity.body()).keys
        func errcode(_ body: JSONObject, stored: [CrossSigningUsage: CrossSigningKey]) throws -> String? {
            do {
                try upload(body).checkSignatures(stored: stored, of: Self.alice)
                return nil
            } catch let error as MatrixError {
                return error.errcode
            }
        }
        #expect(try errcode(identity.body(), stored: [:]) == nil)
        #expect(try errcode(identity.body([.selfSigning]), stored: stored) == nil)
        #expect(try errcode(identity.body([.selfSigning]), stored: [:]) == "M_MISSING_PARAM")
        #expect(try errcode(other.body([.userSigning]), stored: stored) == "M_INVALID_SIGNATURE")
        #expect(try errcode(other.body(), stored: stored) == nil)
        var mixed = try identity.body()
        mixed["self_signing_key"] = .object(try other.key(.selfSigning))
        #expect(try errcode(mixed, stored: stored) == "M_INVALID_SIGNATURE")
        mixed["self_signing_key"] = .object(identity.selfSigning.published(as: .selfSigning))
        #expect(try errcode(mixed, stored: stored) == "M_INVALID_SIGNATURE")
    }
}
