// Base64, keys and signatures: Appendices §Unpadded Base64, §Cryptographic Test Vectors.

import MatrixCore
import Testing

/// The key and the server of the specification's test vectors.
enum SpecificationKey {
    static let server = ServerName(trusted: "domain")

    static func key() throws -> SigningKey {
        try SigningKey(fileLine: "ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
    }
}

@Suite("Base64")
struct Base64Tests {
    @Test(
        "the specification's examples, both ways, with padding and without",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"),
        ])
    func examples(text: String, encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(text.utf8))
        let padded = encoded + String(repeating: "=", count: (4 - encoded.count % 4) % 4)
        #expect(Base64.decode(padded) == Array(text.utf8))
    }

    @Test("the two alphabets differ in two characters")
    func alphabets() {
        #expect(Base64.encode([0xFB, 0xFF]) == "+/8")
        #expect(Base64.encode([0xFB, 0xFF], .urlSafe) == "-_8")
        #expect(Base64.decode("-_8", .urlSafe) == [0xFB, 0xFF])
        #expect(Base64.decode("-_8") == nil)
        #expect(Base64.decode("+/8", .urlSafe) == nil)
    }

    @Test(
        "what is no Base64 is refused",
        arguments: ["A", "AAAAA", "A===", "Zg=", "Zg===", "Zm9v=", "Z g", "Zg\n", "Zé", "=", "Zm=8", "===="])
    func refusals(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test("all bytes come back")
    func roundTrip() {
        for count in 0..<70 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base64.decode(Base64.encode(bytes, .urlSafe), .urlSafe) == bytes)
        }
    }
}

@Suite("Signing")
struct SigningTests {
    @Test("a key file's line gives the key, and the key the line")
    func keyFile() throws {
        let key = SigningKey.generate(version: "a_AbCd")
        #expect(key.keyID == "ed25519:a_AbCd")
        let again = try SigningKey(fileLine: key.fileLine + "\n")
        #expect(again.fileLine == key.fileLine)
        #expect(again.verifyKeyBase64 == key.verifyKeyBase64)
        #expect(SigningKey.generate().version.utf8.count == 6)
    }

    @Test(
        "a line that is no key is refused with the reason",
        arguments: [
            ("", SigningKey.Error.malformedLine), ("ed25519 a_AbCd", .malformedLine), ("rsa a_AbCd AAAA", .unknownAlgorithm("rsa")),
            ("ed25519 a-b YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1", .invalidVersion("a-b")), ("ed25519 a_AbCd AAAA", .invalidSeed),
            ("ed25519 a_AbCd !!!!", .invalidSeed),
        ])
    func badKeyFile(line: String, error: SigningKey.Error) {
        #expect(throws: error) { try SigningKey(fileLine: line) }
    }

    @Test(
        "the specification's vectors of signed JSON",
        arguments: [
            ([:], "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
            (["one": 1, "two": "Two"], "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"),
        ] as [(JSONObject, String)])
    func vectors(object: JSONObject, signature: String) throws {
        var expected = object
        expected["signatures"] = ["domain": ["ed25519:1": .string(signature)]]
        #expect(try signJSON(object, as: SpecificationKey.server, key: SpecificationKey.key()) == expected.canonicalBytes)
    }

    @Test("a signature is beside others, and covers neither them nor unsigned")
    func severalSignatures() throws {
        let other = SigningKey.generate(version: "other")
        var object: JSONObject = ["a": 1, "unsigned": ["age": 5]]
        object = try JSONSigning.sign(object, as: "other.org", key: other)
        object = try JSONSigning.sign(object, as: "domain", key: SpecificationKey.key())
        object["unsigned"] = ["age": 6]
        let json = try JSONDocument(parsing: object.canonicalBytes).root
        try JSONSigning.verify(json, signedBy: "other.org", keyID: "ed25519:other", key: other.verifyKey)
        try JSONSigning.verify(json, signedBy: "domain", keyID: "ed25519:1", key: SpecificationKey.key().verifyKey)
        #expect(throws: JSONSigning.Failure.missingSignature) {
            try JSONSigning.verify(json, signedBy: "third.org", keyID: "ed25519:1", key: other.verifyKey)
        }
        #expect(throws: JSONSigning.Failure.wrongSignature) {
            try JSONSigning.verify(json, signedBy: "domain", keyID: "ed25519:1", key: other.verifyKey)
        }
        object["a"] = 2
        let changed = try JSONDocument(parsing: object.canonicalBytes).root
        #expect(throws: JSONSigning.Failure.wrongSignature) {
            try JSONSigning.verify(changed, signedBy: "other.org", keyID: "ed25519:other", key: other.verifyKey)
        }
    }

    @Test("a public key is 32 bytes of Base64")
    func verifyKeys() throws {
        let key = SigningKey.generate()
        #expect(VerifyKey(base64: key.verifyKeyBase64)?.verify(try key.sign([1, 2, 3]), of: [1, 2, 3]) == true)
        #expect(VerifyKey(base64: key.verifyKeyBase64)?.verify("AAAA", of: [1, 2, 3]) == false)
        #expect(VerifyKey(base64: "AAAA") == nil)
        #expect(VerifyKey(base64: "?") == nil)
    }

    @Test("SHA-256 of known text")
    func hash() {
        #expect(SHA256Hash.base64(Array("abc".utf8)) == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0")
    }
}
