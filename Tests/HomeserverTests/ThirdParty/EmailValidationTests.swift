// Links that are sent to addresses, on both databases.

import Homeserver
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("Validation of addresses")
struct EmailValidationTests {
    private func request(_ address: String, _ secret: String = "s3cret", attempt: Int64 = 1, next: String? = nil) throws
        -> EmailValidation.Request
    {
        EmailValidation.Request(
            address: try EmailAddress(address), secret: try ClientSecret(secret), sendAttempt: attempt,
            nextLink: try next.map { try NextLink($0, allowedHosts: nil) })
    }

    @Test("a link proves an address once it is opened, to who began it and for what it was sent", arguments: DatabaseKind.allCases)
    func link(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let (validation, secret) = (server.validation, try ClientSecret("s3cret"))
            let sid = try await validation.begin(request("a@b"), for: .addition, delivery: .awaited)
            #expect(server.mails.link?.hasPrefix("https://test/_matrix/client/unstable/add_threepid/email/submit_token?") == true)
            let token = try #require(server.mails.parameter("token"))
            #expect(token.utf8.count == 32 && server.mails.parameter("sid") == sid)

            #expect(try await validation.validated(sid, secret: secret, for: .addition) == nil)
            await #expect(throws: EmailValidation.Refusal.self) {
                _ = try await validation.submit(session: sid, secret: secret, token: token, for: .registration)
            }
            for (session, secret, token) in [(sid, "other", token), (sid, "s3cret", "x"), ("x", "s3cret", token), ("\0", "s3cret", token)] {
                await #expect(throws: EmailValidation.Refusal.self) {
                    _ = try await validation.submit(session: session, secret: ClientSecret(secret), token: token, for: .addition)
                }
            }
            // Twice: people press links twice.
            for _ in 0..<2 { #expect(try await validation.submit(session: sid, secret: secret, token: token, for: .addition) == nil) }
            #expect(try await validation.validated(sid, secret: secret, for: .addition)?.address == "a@b")
            #expect(try await validation.validated(sid, secret: secret, for: .passwordReset) == nil)
            #expect(try await validation.validated(sid, secret: ClientSecret("other"), for: .addition) == nil)
        }
    }

    @Test("only a greater number of the attempt has another mail sent, in the same session", arguments: DatabaseKind.allCases)
    func attempts(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            func begin(_ secret: String, _ attempt: Int64) async throws -> String {
                try await server.validation.begin(request("a@b", secret, attempt: attempt), for: .registration, delivery: .awaited)
            }
            let first = try await begin("one", 1)
            #expect(try await begin("one", 1) == first)
            #expect(server.mails.count == 1)
            #expect(try await begin("one", 2) == first)
            #expect(server.mails.count == 2)
            #expect(try await begin("two", 1) != first)
            #expect(server.mails.count == 3)
        }
    }

    @Test("a mail that could not be sent is sent by the same attempt again", arguments: DatabaseKind.allCases)
    func failure(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            server.mails.isBroken.withLock { $0 = true }
            let failure = await #expect(throws: MatrixError.self) {
                _ = try await server.validation.begin(request("a@b"), for: .registration, delivery: .awaited)
            }
            #expect(failure?.status == 500)
            server.mails.isBroken.withLock { $0 = false }
            _ = try await server.validation.begin(request("a@b"), for: .registration, delivery: .awaited)
            #expect(server.mails.count == 1)
        }
    }

    @Test("a link leads on to where the client said, and not after its time", arguments: DatabaseKind.allCases)
    func nextLink(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let sid = try await server.validation.begin(
                request("a@b", next: "https://client/?x"), for: .registration, delivery: .awaited)
            let token = try #require(server.mails.parameter("token"))
            try await database.write { try $0.execute("UPDATE threepid_tokens SET expires_ts = 1") }
            await #expect(throws: EmailValidation.Refusal.expired) {
                _ = try await server.validation.submit(session: sid, secret: ClientSecret("s3cret"), token: token, for: .registration)
            }
            try await database.write { try $0.execute("UPDATE threepid_tokens SET expires_ts = 9000000000000") }
            #expect(
                try await server.validation.submit(session: sid, secret: ClientSecret("s3cret"), token: token, for: .registration)
                    == "https://client/?x&sid=\(sid)")
        }
    }

    @Test("an address belongs to one account, and goes with it", arguments: DatabaseKind.allCases)
    func owners(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let (alice, bob) = (try await server.register("alice"), try await server.register("bob"))
            func add(_ secret: String, to user: UserID) async throws {
                let sid = try await server.validation.begin(request("a@b", secret), for: .addition, delivery: .awaited)
                let token = try #require(server.mails.parameter("token"))
                _ = try await server.validation.submit(session: sid, secret: ClientSecret(secret), token: token, for: .addition)
                try await server.identifiers.add(session: sid, secret: ClientSecret(secret), to: user)
            }
            try await add("one", to: alice)
            #expect(try await errorCode { try await add("two", to: bob) } == "M_THREEPID_IN_USE")
            try await add("three", to: alice)
            #expect(try await server.identifiers.identifiers(of: alice).count == 1)
            #expect(try await server.identifiers.user("email", "a@b") == alice)
            // Nobody else removes it.
            #expect(try await !server.identifiers.remove("email", "A@b", from: bob, at: nil))
            #expect(try await server.identifiers.user("email", "a@b") == alice)
            #expect(try await !server.identifiers.remove("email", "A@b", from: alice, at: nil))
            #expect(try await server.identifiers.user("email", "a@b") == nil)
            try await add("four", to: bob)
            _ = try await database.write { try AccountEndingStore.deactivate(bob, erases: false, on: $0) }
            #expect(try await server.identifiers.user("email", "a@b") == nil)
        }
    }

    // MARK: What is told

    private func requests(_ server: AccountsFixture, hides: Bool) -> ThirdPartyRequests {
        var options = RegistrationOptions()
        options.hidesThirdPartyIDs = hides
        return ThirdPartyRequests(
            database: server.database, validation: server.validation, rateLimits: server.rateLimits, options: options,
            isRegistrationEnabled: true)
    }

    @Test("whether an address has an account is told, unless the operator does not want that", arguments: DatabaseKind.allCases)
    func hiding(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let alice = try await server.register("alice")
            let row = ThirdPartyRow(medium: "email", address: "known@b", validated: .now, added: .now)
            try await database.write { _ = try ThirdPartyStore.insert(row, of: alice, on: $0) }

            let open = requests(server, hides: false)
            #expect(try await errorCode { _ = try await open.beginRegistration(request("Known@b"), from: "x") } == "M_THREEPID_IN_USE")
            #expect(try await errorCode { _ = try await open.beginAddition(request("known@b"), from: "x") } == "M_THREEPID_IN_USE")
            #expect(try await errorCode { _ = try await open.beginPasswordReset(request("new@b"), from: "x") } == "M_THREEPID_NOT_FOUND")
            #expect(server.mails.count == 0)

            let silent = requests(server, hides: true)
            var sessions: [String] = []
            for address in ["known@b", "new@b"] {
                sessions.append(try await silent.beginRegistration(request(address), from: "x"))
                sessions.append(try await silent.beginPasswordReset(request(address), from: "x"))
                sessions.append(try await silent.beginAddition(request(address), from: "x"))
            }
            #expect(Set(sessions).count == 6 && sessions.allSatisfy { $0.utf8.count == 24 })
            // The same request again gives the same session, for both.
            #expect(try await silent.beginPasswordReset(request("known@b"), from: "x") == sessions[1])
            #expect(try await silent.beginPasswordReset(request("new@b"), from: "x") == sessions[4])
            // Nothing was sent before the answer.
            #expect(server.mails.count == 0)
        }
    }

    @Test("requests are limited by who asks and by who would get the mail")
    func limits() async throws {
        try await withDatabase(.sqlite) { database in
            var limits = RateLimits.none
            limits.thirdPartyValidation = RateLimit(0.001, 2)
            let requests = requests(try await AccountsFixture(database, limits: limits), hides: false)
            func ask(_ address: String, from remote: String) async throws -> String? {
                try await errorCode { _ = try await requests.beginPasswordReset(request(address), from: remote) }
            }
            for _ in 0..<2 { #expect(try await ask("a@b", from: "1.2.3.4") == "M_THREEPID_NOT_FOUND") }
            #expect(try await ask("c@d", from: "1.2.3.4") == "M_LIMIT_EXCEEDED")
            #expect(try await ask("a@b", from: "5.6.7.8") == "M_LIMIT_EXCEEDED")
            #expect(try await ask("e@f", from: "9.9.9.9") == "M_THREEPID_NOT_FOUND")
        }
    }
}
