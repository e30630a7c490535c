// Names of accounts, the policy of registration, and the proof of the shared secret.

import Homeserver
import MatrixCore
import Testing

@Suite("Registration rules")
struct RegistrationRulesTests {
    static let server = ServerName(trusted: "example.org")

    @Test("localparts of lowercase letters, digits and ._=-/+ are accepted", arguments: ["alice", "a", "a.b_c=d-e/f+1", "1a"])
    func accepted(localpart: String) throws {
        try Localpart.check(localpart, server: Self.server)
    }

    @Test(
        "other localparts are refused with M_INVALID_USERNAME",
        arguments: ["", "_alice", "Alice", "al ice", "alïce", "a:b", "a\0b", "12345", String(repeating: "a", count: 250)])
    func refused(localpart: String) {
        let error = #expect(throws: MatrixError.self) { try Localpart.check(localpart, server: Self.server) }
        #expect(error?.errcode == "M_INVALID_USERNAME")
        #expect(error?.status == 400)
    }

    @Test("an underscore begins a name only where the operator allows it")
    func underscore() throws {
        try Localpart.check("_alice", server: Self.server, allowsUnderscore: true)
        #expect(throws: MatrixError.self) { try Localpart.check("_al ice", server: Self.server, allowsUnderscore: true) }
    }

    // MARK: The flows

    private static let (dummy, email, token) = ("m.login.dummy", "m.login.email.identity", "m.login.registration_token")

    @Test("registration is open only where it is enabled")
    func policy() {
        #expect(RegistrationPolicy(isEnabled: true).flows == [[Self.dummy]])
        #expect(RegistrationPolicy().flows.isEmpty)
    }

    @Test("where mail is sent an address can be shown, and where one is required it must be")
    func emailFlows() {
        var policy = RegistrationPolicy(isEnabled: true)
        policy.verifiesEmail = true
        #expect(policy.flows == [[Self.dummy], [Self.email]])
        policy.options.requiredMedia = [.email]
        #expect(policy.flows == [[Self.email]])
        policy.options.takesTokenForThirdPartyID = true
        #expect(policy.flows == [[Self.email], [Self.token]])
    }

    @Test("where numbers are validated one can be shown, with an address or without, and where one is required it must be")
    func phoneFlows() {
        let phone = "m.login.msisdn"
        var policy = RegistrationPolicy(isEnabled: true)
        policy.verifiesPhone = true
        #expect(policy.flows == [[Self.dummy], [phone]])
        policy.verifiesEmail = true
        #expect(policy.flows == [[Self.dummy], [Self.email], [phone], [phone, Self.email]])
        policy.options.requiredMedia = [.msisdn]
        #expect(policy.flows == [[phone], [phone, Self.email]])
        policy.options.requiredMedia = [.email]
        #expect(policy.flows == [[Self.email], [phone, Self.email]])
        policy.options.requiredMedia = [.email, .msisdn]
        #expect(policy.flows == [[phone, Self.email]])
        policy.options.excludesPhoneNumbers = true
        #expect(policy.flows == [[Self.email]])
        policy.options.requiredMedia = [.msisdn]
        #expect(policy.flows == [[Self.dummy], [Self.email]])
    }

    @Test("token, captcha and terms stand before all that follows, once each")
    func commonStages() {
        var policy = RegistrationPolicy(isEnabled: true)
        policy.verifiesEmail = true
        policy.options.requiresToken = true
        policy.options.takesTokenForThirdPartyID = true
        policy.requiresCaptcha = true
        policy.termsAtRegistration = "1.0"
        let common = [Self.token, "m.login.recaptcha", "m.login.terms"]
        #expect(policy.flows == [common + [Self.dummy], common + [Self.email], ["m.login.recaptcha", "m.login.terms", Self.token]])
    }

    // MARK: The shared secret

    private func request(_ nonce: String, isAdmin: Bool, userType: String? = nil) -> SharedSecretRegistration.Request {
        SharedSecretRegistration.Request(nonce: nonce, username: "alice", password: "wonder", isAdmin: isAdmin, userType: userType)
    }

    @Test("the MAC is the one that Python's hmac makes")
    func mac() {
        #expect(
            SharedSecretRegistration.mac(of: request("n0nce", isAdmin: true), secret: "shared")
                == "35bbd01813a93ea5485ccb831ee70b344c5b9083")
        #expect(
            SharedSecretRegistration.mac(of: request("n0nce", isAdmin: false, userType: "bot"), secret: "shared")
                == "1e2d30ad9b4b9e597ce8c3f7c1a814a1b8a63357")
    }

    @Test("a nonce is good once")
    func nonce() throws {
        let shared = SharedSecretRegistration(secret: "shared")
        let nonce = shared.makeNonce()
        #expect(nonce.utf8.count == 128)
        try shared.consume(nonce: nonce)
        #expect(throws: MatrixError.self) { try shared.consume(nonce: nonce) }
        #expect(throws: MatrixError.self) { try shared.consume(nonce: "other") }
    }

    @Test("a wrong MAC is refused with 403, and without a secret everything is")
    func check() throws {
        let shared = SharedSecretRegistration(secret: "shared")
        let request = request("n", isAdmin: false)
        let mac = SharedSecretRegistration.mac(of: request, secret: "shared")
        try shared.check(request, mac: mac)
        for wrong in ["", String(mac.dropLast()) + "!", mac.uppercased() + "0", mac + "0"] {
            let error = #expect(throws: MatrixError.self) { try shared.check(request, mac: wrong) }
            #expect(error?.status == 403)
        }
        #expect(throws: MatrixError.self) { try SharedSecretRegistration(secret: nil).checkEnabled() }
        #expect(throws: MatrixError.self) { try SharedSecretRegistration(secret: "").check(request, mac: mac) }
    }
}
