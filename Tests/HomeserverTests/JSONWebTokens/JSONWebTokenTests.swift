// Signed tokens, against an implementation that is not ours.

import Homeserver
import MatrixCore
import ServerConfiguration
import Testing

@Suite("JSON Web Tokens") struct JSONWebTokenTests {
    private static func keys() throws -> [JSONWebKey] {
        try json(TokenVectors.keySet)["keys"].map { $0.elements.compactMap { JSONWebKey($0) } } ?? []
    }

    private static func parsed(_ text: String) throws -> JSONWebToken { try JSONWebToken(parsing: text) }

    private static func failure(_ body: () throws -> Void) throws -> JSONWebTokenError? {
        do {
            try body()
            return nil
        } catch let error as JSONWebTokenError {
            return error
        }
    }

    @Test("a token counts by the key of a set that made it, with each algorithm", arguments: TokenVectors.tokens)
    func keySet(vector: (algorithm: JWTAlgorithm, token: String)) throws {
        let token = try Self.parsed(vector.token)
        #expect(token.algorithm == vector.algorithm && token.claims["sub"]?.string == "alice")
        let keys = JSONWebKey.candidates(in: try Self.keys(), for: token)
        let key = vector.algorithm.isSymmetric ? [try JSONWebKey(TokenVectors.secret, for: vector.algorithm)] : keys
        #expect(vector.algorithm.isSymmetric || keys.count == 1)
        #expect(throws: Never.self) { try token.verify(by: key, algorithms: [vector.algorithm]) }
    }

    @Test("a public key in PEM checks as the one of the set does", arguments: TokenVectors.publicKeys)
    func pem(vector: (algorithm: JWTAlgorithm, pem: String)) throws {
        let key = try JSONWebKey(vector.pem, for: vector.algorithm)
        let text = try #require(TokenVectors.tokens.first { $0.algorithm == vector.algorithm }?.token)
        #expect(throws: Never.self) { try Self.parsed(text).verify(by: [key], algorithms: [vector.algorithm]) }
    }

    @Test("what is changed, signed by another key or by an algorithm that is not accepted does not count", arguments: TokenVectors.tokens)
    func refused(vector: (algorithm: JWTAlgorithm, token: String)) throws {
        let keys = try Self.keys() + [try JSONWebKey(TokenVectors.secret, for: .hs256)]
        let token = try Self.parsed(vector.token)
        #expect(try Self.failure { try token.verify(by: keys, algorithms: []) } == .unsupportedAlgorithm)
        #expect(try Self.failure { try token.verify(by: [], algorithms: [vector.algorithm]) } == .badSignature)
        var parts = vector.token.split(separator: ".").map(String.init)
        parts[1] = Base64.encode(Array(#"{"sub":"mallory"}"#.utf8), .urlSafe)
        let changed = try Self.parsed(parts.joined(separator: "."))
        #expect(try Self.failure { try changed.verify(by: keys, algorithms: [vector.algorithm]) } == .badSignature)
        parts[2] = ""
        let bare = try Self.parsed(parts.joined(separator: "."))
        #expect(try Self.failure { try bare.verify(by: keys, algorithms: [vector.algorithm]) } == .badSignature)
    }

    @Test("a public key is never taken for a secret that both sides know")
    func confusion() throws {
        let pem = TokenVectors.publicKeys[0].pem
        // Signed by HMAC with the text of a public key as its secret.
        let header = Base64.encode(Array(#"{"alg":"HS256"}"#.utf8), .urlSafe)
        let token = try Self.parsed("\(header).\(Base64.encode(Array("{}".utf8), .urlSafe)).AAAA")
        let key = try JSONWebKey(pem, for: .rs256)
        #expect(try Self.failure { try token.verify(by: [key], algorithms: [.rs256]) } == .unsupportedAlgorithm)
        #expect(try Self.failure { try token.verify(by: [key], algorithms: [.rs256, .hs256]) } == .badSignature)
    }

    @Test("keys that are weak, secret, for encryption or unknown are left out of a set")
    func unusable() throws {
        #expect(JSONWebKey(try json(TokenVectors.weakKey)) == nil)
        #expect(JSONWebKey(try json(#"{"kty":"oct","k":"AAAA"}"#)) == nil)
        #expect(JSONWebKey(try json(#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#)) == nil)
        #expect(JSONWebKey(try json(#"{"kty":"EC","crv":"secp256k1","x":"AAAA","y":"AAAA"}"#)) == nil)
        let set = try json(TokenVectors.keySet)
        var first = JSONObject(try #require(set["keys"]?[0]))
        first["use"] = "enc"
        #expect(JSONWebKey(try json(String(decoding: first.canonicalBytes, as: UTF8.self))) == nil)
    }

    @Test("a key that is for one algorithm is for no other")
    func bound() throws {
        let set = try json(TokenVectors.keySet)
        var jwk = JSONObject(try #require(set["keys"]?[0]))
        jwk["alg"] = "RS256"
        let key = try #require(JSONWebKey(try json(String(decoding: jwk.canonicalBytes, as: UTF8.self))))
        for (algorithm, text) in TokenVectors.tokens where algorithm.rawValue.hasPrefix("RS") || algorithm.rawValue.hasPrefix("PS") {
            let failure = try Self.failure { try Self.parsed(text).verify(by: [key], algorithms: [algorithm]) }
            #expect(failure == (algorithm == .rs256 ? nil : .badSignature))
        }
    }

    @Test("the unsigned algorithm is none that is known")
    func none() throws {
        let header = Base64.encode(Array(#"{"alg":"none"}"#.utf8), .urlSafe)
        let token = try Self.parsed("\(header).\(Base64.encode(Array(#"{"sub":"alice"}"#.utf8), .urlSafe)).")
        #expect(token.algorithm == nil)
        #expect(try Self.failure { try token.verify(by: Self.keys(), algorithms: JWTAlgorithm.allCases) } == .unsupportedAlgorithm)
    }

    @Test(
        "what is no token is refused with a word about it that holds nothing of it",
        arguments: ["", "a.b", "a.b.c.d", "!.e30.AA", "e30.!.AA", "e30.e30.!", "W10.e30.AA", "e30.W10.AA", "AA.e30.AA"])
    func malformed(text: String) throws {
        let failure = try Self.failure { _ = try Self.parsed(text) }
        guard case .malformed? = failure else {
            Issue.record("\(text) gave \(String(describing: failure))")
            return
        }
    }

    @Test("critical parameters make a token void, and a token of a megabyte is not read")
    func bounds() throws {
        let header = Base64.encode(Array(#"{"alg":"HS256","crit":["b64"],"b64":false}"#.utf8), .urlSafe)
        #expect(try Self.failure { _ = try Self.parsed("\(header).e30.AA") } == .malformed("The header has critical parameters"))
        let long = "e30.e30." + String(repeating: "A", count: 1 << 20)
        #expect(try Self.failure { _ = try Self.parsed(long) } == .malformed("The token is too long"))
    }

    private static func claims(_ text: String) throws -> JSONWebClaims { JSONWebClaims(try json(text)) }

    private let now = Timestamp(milliseconds: 1_000_000_000_000)

    @Test(
        "times count with two minutes' grace",
        arguments: [
            (#"{}"#, nil), (#"{"exp": 999999881}"#, nil), (#"{"exp": 999999879}"#, .expired), (#"{"exp": 999999879.5}"#, .expired),
            (#"{"exp": "never"}"#, .invalidClaim("exp")), (#"{"nbf": 1000000119}"#, nil), (#"{"nbf": 1000000121}"#, .notYetValid),
            (#"{"iat": 1000000121}"#, .notYetValid), (#"{"iat": true}"#, .invalidClaim("iat")),
        ] as [(String, JSONWebTokenError?)])
    func times(text: String, expected: JSONWebTokenError?) throws {
        let claims = try Self.claims(text)
        #expect(try Self.failure { try claims.checkTimes(at: now) } == expected)
    }

    @Test("an audience is one text or several, and one of them must be meant")
    func audiences() throws {
        for text in [#"{"aud": "us"}"#, #"{"aud": ["them", "us"]}"#] {
            #expect(try Self.failure { try Self.claims(text).checkAudience(among: ["us", "you"]) } == nil)
        }
        #expect(try Self.failure { try Self.claims("{}").checkAudience(among: ["us"]) } == .missingClaim("aud"))
        #expect(try Self.failure { try Self.claims(#"{"aud": []}"#).checkAudience(among: ["us"]) } == .invalidClaim("aud"))
        #expect(try Self.failure { try Self.claims(#"{"aud": {"us": 1}}"#).checkAudience(among: ["us"]) } == .invalidClaim("aud"))
    }
}
