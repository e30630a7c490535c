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

    @Test("registration is open only where it is enabled and needs no verification")
    func policy() {
        #expect(RegistrationPolicy(isEnabled: true, isOpenWithoutVerification: true).flows == [["m.login.dummy"]])
        #expect(RegistrationPolicy(isEnabled: true).flows.isEmpty)
        #expect(RegistrationPolicy(isOpenWithoutVerification: true).flows.isEmpty)
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
