// The two requests of Synapse's shared-secret registration: a nonce, then the account with a proof that we know the secret.

import AsyncHTTPClient
import Crypto
import MatrixCore

struct NewAccount: Sendable {
    let name: String
    let password: String
    let isAdmin: Bool
    let type: String?
}

struct RegistrationClient: Sendable {
    enum Outcome: Sendable {
        /// The new user's id.
        case made(String)
        /// The name is taken; the server's message.
        case exists(String)
    }

    private let url: String
    private let address: String
    private let secret: String

    init(address: String, secret: String) {
        var base = address[...]
        while base.hasSuffix("/") { base = base.dropLast() }
        self.address = String(base)
        self.secret = secret
        url = base + "/_synapse/admin/v1/register"
    }

    func register(_ account: NewAccount) async throws(RegistrationFailure) -> Outcome {
        let first = try await send(HTTPClientRequest(url: url))
        guard first.status == 200 else { throw failure(first) }
        guard let nonce = first.body?["nonce"]?.string else {
            throw RegistrationFailure("\(address) does not answer as a homeserver does. Is this its address?")
        }
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(body(account, nonce: nonce))
        let answer = try await send(request)
        if answer.status == 200 { return .made(answer.body?["user_id"]?.string ?? account.name) }
        if answer.body?["errcode"]?.string == "M_USER_IN_USE" { return .exists(answer.body?["error"]?.string ?? "User ID already taken.") }
        throw failure(answer)
    }

    // MARK: Steps

    private func body(_ account: NewAccount, nonce: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { body in
            body.member("nonce", nonce)
            body.member("username", account.name)
            body.member("password", account.password)
            body.member("admin", account.isAdmin)
            if let type = account.type { body.member("user_type", type) }
            body.member("mac", mac(account, nonce: nonce))
        }
        return writer.bytes
    }

    /// HMAC-SHA1 over what is asked for, with NUL between the parts, in hexadecimal.
    private func mac(_ account: NewAccount, nonce: String) -> String {
        var parts = [nonce, account.name, account.password, account.isAdmin ? "admin" : "notadmin"]
        if let type = account.type { parts.append(type) }
        let message = Array(parts.joined(separator: "\0").utf8)
        let code = HMAC<Insecure.SHA1>.authenticationCode(for: message, using: SymmetricKey(data: Array(secret.utf8)))
        let digits = Array("0123456789abcdef")
        return code.reduce(into: "") { $0 += [digits[Int($1 >> 4)], digits[Int($1 & 15)]] }
    }

    private struct Answer {
        let status: UInt
        let body: JSON?
    }

    private func send(_ request: HTTPClientRequest) async throws(RegistrationFailure) -> Answer {
        do {
            let response = try await Self.client.execute(request, timeout: .seconds(60))
            let bytes = try await response.body.collect(upTo: 1 << 20)
            let document = try? JSONDocument(parsing: Array(bytes.readableBytesView))
            return Answer(status: response.status.code, body: document?.root)
        } catch {
            throw RegistrationFailure("The server cannot be reached at \(address): \(error). Is it running, and is this its address?")
        }
    }

    /// Gives up at the first refused connection, where the shared client would go on trying until the time is over. It lives as long as the
    /// program.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.timeout.connect = .seconds(10)
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    private func failure(_ answer: Answer) -> RegistrationFailure {
        let said = answer.body?["error"]?.string.map { ": \($0)" } ?? ""
        switch (answer.status, answer.body?["errcode"]?.string) {
        case (403, _):
            return RegistrationFailure("Received \(answer.status)\(said). Does the server use the same registration_shared_secret?")
        case (404, _), (405, _):
            return RegistrationFailure(
                "Received \(answer.status)\(said). The server's admin API is not reachable at \(address); use its own address, not a proxy's."
            )
        default: return RegistrationFailure("Received \(answer.status)\(said)")
        }
    }
}
