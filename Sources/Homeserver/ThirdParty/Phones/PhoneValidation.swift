// Has people show that a telephone number is theirs: an identity server of the operator's choice sends them a code.
// Synapse's `account_threepid_delegates.msisdn`; Identity Service API §Phone number associations, by the endpoints of its first version,
// which ask for no account there.

import Federation
import Logging
import MatrixCore
import Persistence

/// Asks the identity server to send codes and to check them. What a session is about, and for what, is kept here: whatever that server
/// says, a proof is one of the number that was asked about, and good for one thing, once.
package struct PhoneValidation: Sendable {
    /// What a client asks for.
    package struct Request: Sendable {
        package var number: PhoneNumber
        /// The number as it was given, and the country in which it is dialled so: the identity server reads it itself.
        package var country: String
        package var text: String
        package var secret: ClientSecret
        package var sendAttempt: Int64
        package var nextLink: NextLink?

        /// - Throws: `M_INVALID_PARAM`.
        package init(
            _ text: String, country: String, secret: ClientSecret, sendAttempt: Int64, nextLink: NextLink? = nil
        ) throws(MatrixError) {
            number = try PhoneNumber(text, country: country)
            self.country = country
            self.text = text
            self.secret = secret
            self.sendAttempt = sendAttempt
            self.nextLink = nextLink
        }
    }

    /// How long a session is kept, in milliseconds.
    private static let sessionLifetime: Int64 = 48 * 3600 * 1000
    /// Bytes of a code.
    private static let codeLimit = 255

    private let base: String
    private let http: OutboundHTTP
    private let database: any Database
    private let rateLimits: RateLimiter
    private let logger: Logger

    /// - Parameters:
    ///   - server: the identity server's address, such as `https://identity.example.org`.
    ///   - http: for addresses that the operator has chosen.
    package init(server: String, http: OutboundHTTP, database: any Database, rateLimits: RateLimiter, logger: Logger) {
        base = server + "/_matrix/identity/api/v1"
        self.http = http
        self.database = database
        self.rateLimits = rateLimits
        self.logger = logger
    }

    /// Has a code sent.
    ///
    /// - Returns: the session's id.
    /// - Throws: what the identity server says of the request; `M_UNKNOWN` (500, 502) when it does not answer, or not as it should.
    package func begin(_ request: Request, for purpose: ProofPurpose) async throws -> String {
        var body: JSONObject = [
            "client_secret": .string(request.secret.text), "country": .string(request.country), "phone_number": .string(request.text),
            "send_attempt": .int(request.sendAttempt),
        ]
        body["next_link"] = request.nextLink.map { .string($0.url) }
        let answer = try await post("/validate/msisdn/requestToken", body)
        guard answer.status == 200 else { throw Self.refusal(answer) }
        guard let id = answer.json?["sid"]?.string, Self.isSession(id) else { throw Self.nonsense }
        let row = ThirdPartySessionRow(
            id: Self.stored(id), purpose: purpose.rawValue, medium: PhoneNumber.medium, address: request.number.digits,
            clientSecretHash: request.secret.hash, sendAttempt: request.sendAttempt, created: .now)
        try await database.write { connection in
            // The identity server may count its sessions anew.
            _ = try ThirdPartySessionStore.consume(row.id, on: connection)
            try ThirdPartySessionStore.put(row, on: connection)
        }
        return id
    }

    /// Has a code checked.
    ///
    /// - Returns: whether it was the right one.
    /// - Throws: `M_LIMIT_EXCEEDED` for who tries many; `M_UNKNOWN` (400, 500) when the identity server refuses or does not answer.
    package func submit(_ code: String, session id: String, secret: ClientSecret) async throws -> Bool {
        guard try await session(id, secret: secret) != nil else { return false }
        guard code.utf8.count <= Self.codeLimit else { throw MatrixError.invalidParam("Invalid token parameter") }
        try rateLimits.check(.thirdPartyValidation, of: ByteString("code of \(id)"))
        let answer = try await post(
            "/validate/msisdn/submitToken", ["client_secret": .string(secret.text), "sid": .string(id), "token": .string(code)])
        guard answer.status == 200 else { throw MatrixError.unknown("Error contacting the identity server", status: 400) }
        return answer.json?["success"]?.bool == true
    }

    /// What a session has shown; nil where there is no such session, it is for something else, or its code was not given.
    package func validated(_ id: String, secret: ClientSecret, for purpose: ProofPurpose) async throws -> ProvenThirdPartyID? {
        guard let row = try await session(id, secret: secret), row.purpose == purpose.rawValue else { return nil }
        let query = "?sid=\(PercentEncoding.encode(id))&client_secret=\(PercentEncoding.encode(secret.text))"
        let answer = try await send(OutboundHTTP.Request(base + "/3pid/getValidated3pid" + query))
        // Sydent says 200 also where nothing was validated.
        guard answer.status == 200, let json = answer.json, json["medium"]?.string == PhoneNumber.medium,
            let address = json["address"]?.string, let validated = json["validated_at"]?.int, validated > 0
        else { return nil }
        guard address == row.address else {
            logger.warning("the identity server has validated another number than it was asked to")
            return nil
        }
        return ProvenThirdPartyID(medium: row.medium, address: row.address, validated: min(Timestamp(milliseconds: validated), .now))
    }

    /// Uses a session up; false if it was not there, because somebody else has used it.
    package static func consume(_ id: String, on connection: any SQLConnection) throws -> Bool {
        try ThirdPartySessionStore.consume(stored(id), on: connection)
    }

    /// Removes sessions that are too old.
    package func sweep() async throws {
        let edge = Timestamp.now.advanced(byMilliseconds: -Self.sessionLifetime)
        try await database.write { try ThirdPartySessionStore.deleteSessions(of: PhoneNumber.medium, createdBefore: edge, on: $0) }
    }

    // MARK: Steps

    /// Sessions stand beside those of mail, whose ids are ours.
    private static func stored(_ id: String) -> String { "msisdn/\(id)" }

    private func session(_ id: String, secret: ClientSecret) async throws -> ThirdPartySessionRow? {
        guard Self.isSession(id) else { return nil }
        let row = try await database.read { try ThirdPartySessionStore.session(Self.stored(id), on: $0) }
        guard let row, PasswordHasher.isEqual(row.clientSecretHash, secret.hash) else { return nil }
        return row
    }

    /// Appendices §Opaque Identifiers.
    private static func isSession(_ id: String) -> Bool {
        let isPlain = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "="), UInt8(ascii: "~"):
                true
            default: false
            }
        }
        return isPlain && (1...255).contains(id.utf8.count)
    }

    private func post(_ path: String, _ body: JSONObject) async throws -> OutboundHTTP.Response {
        var request = OutboundHTTP.Request(base + path)
        request.method = "POST"
        request.headers = [("Content-Type", "application/json")]
        request.body = body.canonicalBytes
        return try await send(request)
    }

    private func send(_ request: OutboundHTTP.Request) async throws -> OutboundHTTP.Response {
        do throws(OutboundFailure) {
            return try await http.send(request)
        } catch {
            logger.warning("the identity server for telephone numbers does not answer", metadata: ["error": "\(error)"])
            throw MatrixError.unknown("Timed out contacting identity server", status: 500)
        }
    }

    /// What the identity server has against a request, told on where it is about the request: a 401 would be read as one about the
    /// client's session here.
    private static func refusal(_ answer: OutboundHTTP.Response) -> MatrixError {
        guard [400, 403, 404, 429].contains(answer.status), let code = answer.json?["errcode"]?.string, isErrorCode(code) else {
            return .unknown("The identity server refused", status: 502)
        }
        let message = (answer.json?["error"]?.string ?? "").unicodeScalars.prefix(256)
        return MatrixError(status: answer.status, errcode: code, message: String(String.UnicodeScalarView(message)))
    }

    private static func isErrorCode(_ code: String) -> Bool {
        let letters = UInt8(ascii: "A")...UInt8(ascii: "Z")
        return (1...64).contains(code.utf8.count)
            && code.utf8.allSatisfy { $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || letters.contains($0) }
    }

    private static let nonsense = MatrixError.unknown("The identity server's answer makes no sense", status: 502)
}
