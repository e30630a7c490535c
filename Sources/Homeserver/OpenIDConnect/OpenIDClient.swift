// What this server asks of a provider for a user. RFC 6749 §4.1.3; OpenID Connect Core 1.0 §5.3.

import Crypto
import CryptoExtras
import Federation
import MatrixCore
import ServerConfiguration
import Synchronization

/// Asks a provider's endpoints.
struct OpenIDClient: Sendable {
    let http: OutboundHTTP
    let credentials: OpenIDCredentials
    let callback: String

    struct Tokens: Sendable {
        let accessToken: String?
        let idToken: String?
    }

    enum UserInfo: Sendable {
        case plain(JSON)
        /// A JSON Web Token.
        case signed(String)
    }

    /// - Throws: `SignOnFailure` with what the provider says.
    func exchange(_ code: String, verifier: String?, at endpoint: String) async throws -> Tokens {
        var form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", callback)]
        if let verifier { form.append(("code_verifier", verifier)) }
        var request = OutboundHTTP.Request(endpoint)
        request.method = "POST"
        request.headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
        try credentials.add(to: &request, &form)
        request.body = Array(FormEncoding.encode(form).utf8)
        let answer = try await send(request)
        if let error = answer.json?["error"]?.string {
            throw SignOnFailure(error, answer.json?["error_description"]?.string ?? error)
        }
        guard (200..<400).contains(answer.status), let json = answer.json else {
            throw SignOnFailure("server_error", "The provider answered with status \(answer.status) when the code was exchanged.")
        }
        return Tokens(accessToken: json["access_token"]?.string, idToken: json["id_token"]?.string)
    }

    /// - Throws: `SignOnFailure`.
    func userInfo(_ accessToken: String, at endpoint: String) async throws -> UserInfo {
        // A header of its own line must not come of a token.
        guard accessToken.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw SignOnFailure("fetch_error", "The token is none") }
        var request = OutboundHTTP.Request(endpoint)
        request.headers = [("Authorization", "Bearer \(accessToken)"), ("Accept", "application/json")]
        let answer = try await send(request)
        guard answer.status == 200 else { throw SignOnFailure("fetch_error", "The profile was not to be had: status \(answer.status)") }
        if answer.header("content-type")?.lowercased().hasPrefix("application/jwt") == true {
            return .signed(String(decoding: answer.body, as: UTF8.self))
        }
        guard let json = answer.json, json.isObject else { throw SignOnFailure("fetch_error", "The profile is not JSON") }
        return .plain(json)
    }

    private func send(_ request: OutboundHTTP.Request) async throws(SignOnFailure) -> OutboundHTTP.Response {
        do { return try await http.send(request) } catch {
            throw SignOnFailure("server_error", "The provider could not be asked.", status: 502)
        }
    }
}

/// How this server shows a provider's token endpoint that it is itself.
struct OpenIDCredentials: Sendable {
    private enum Secret: Sendable {
        case none
        case text(String)
        case made(SecretMaker)
    }

    private let clientID: String
    private let method: OpenIDConfiguration.ClientAuthentication
    private let secret: Secret

    /// - Throws: where the key of `client_secret_jwt_key` is none.
    init(_ configuration: OpenIDConfiguration) throws {
        clientID = configuration.clientID
        method = configuration.clientAuthentication
        if let text = configuration.clientSecret {
            secret = .text(text)
        } else if let key = configuration.secretKey {
            secret = .made(try SecretMaker(key, clientID: configuration.clientID, issuer: configuration.issuer))
        } else {
            secret = .none
        }
    }

    /// RFC 6749 §2.3.1. The parts of `basic` are not percent-encoded: no library does so, and providers do not expect it.
    func add(to request: inout OutboundHTTP.Request, _ form: inout [(String, String)]) throws {
        let text: String =
            switch secret {
            case .none: ""
            case .text(let text): text
            case .made(let maker): try maker.secret(at: .now)
            }
        switch method {
        case .basic:
            // The provider's, and so padded.
            let unpadded = Base64.encode(Array("\(clientID):\(text)".utf8))
            let padding = String(repeating: "=", count: (4 - unpadded.utf8.count % 4) % 4)
            request.headers.append(("Authorization", "Basic \(unpadded)\(padding)"))
        case .post: form += [("client_id", clientID), ("client_secret", text)]
        case .none: form.append(("client_id", clientID))
        }
    }
}

/// Makes secrets that are tokens signed with a key, as Apple wants them. RFC 7523.
private final class SecretMaker: Sendable {
    /// Seconds.
    private static let lifetime: Int64 = 3600
    /// A secret is replaced when it has this much left, in seconds.
    private static let reserve: Int64 = 600

    private enum Key: Sendable {
        case p256(P256.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
    }

    private struct UnusableKey: Error, CustomStringConvertible {
        var description: String { "client_secret_jwt_key: expected a private key in PEM, for ES256 or RS256 as jwt_header.alg says" }
    }

    private let key: Key
    private let header: JSONObject
    private let payload: JSONObject
    private let current = Mutex<(secret: String, replacement: Timestamp)?>(nil)

    init(_ configuration: OpenIDConfiguration.SecretKey, clientID: String, issuer: String) throws {
        do {
            switch configuration.algorithm {
            case .es256: key = .p256(try P256.Signing.PrivateKey(pemRepresentation: configuration.key))
            case .rs256: key = .rsa(try _RSA.Signing.PrivateKey(pemRepresentation: configuration.key))
            default: throw UnusableKey()
            }
        } catch {
            throw UnusableKey()
        }
        header = JSONObject(configuration.header.map { (ByteString($0.key), .string($0.value)) })
        var payload: JSONObject = ["sub": .string(clientID), "aud": .string(issuer)]
        for (name, value) in configuration.payload { payload[name] = .string(value) }
        self.payload = payload
    }

    func secret(at now: Timestamp) throws -> String {
        if let current = current.withLock({ $0 }), now < current.replacement { return current.secret }
        let seconds = now.milliseconds / 1000
        var claims = payload
        claims["iat"] = .int(seconds)
        claims["exp"] = .int(seconds + Self.lifetime)
        let text = "\(Base64.encode(header.canonicalBytes, .urlSafe)).\(Base64.encode(claims.canonicalBytes, .urlSafe))"
        let digest = SHA256.hash(data: Array(text.utf8))
        let signature: [UInt8] =
            switch key {
            case .p256(let key): Array(try key.signature(for: digest).rawRepresentation)
            case .rsa(let key): Array(try key.signature(for: digest, padding: .insecurePKCS1v1_5).rawRepresentation)
            }
        let secret = "\(text).\(Base64.encode(signature, .urlSafe))"
        let replacement = now.advanced(byMilliseconds: (Self.lifetime - Self.reserve) * 1000)
        current.withLock { $0 = (secret, replacement) }
        return secret
    }
}

/// `application/x-www-form-urlencoded`.
enum FormEncoding {
    static func encode(_ fields: [(String, String)]) -> String {
        fields.map { "\(PercentEncoding.encode($0.0))=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
    }

    /// The address with further parameters.
    static func append(_ fields: [(name: String, value: String)], to address: String) -> String {
        address + (address.contains("?") ? "&" : "?") + encode(fields.map { ($0.name, $0.value) })
    }
}
