// Password hashes, against hashes that Python's bcrypt made as Synapse does.

import Homeserver
import MatrixCore
import Testing

@Suite("Password hashes")
struct PasswordHasherTests {
    /// Password, pepper, and what `bcrypt.hashpw((unicodedata.normalize("NFKC", password) + pepper).encode()[:72], salt)` gave.
    static let known = [
        ("correct horse battery staple", "", "$2b$04$Lm.tlsaNzOq8D.OpTGgw1uKbkGlfHPi3xN0SCSV/HYbiC0VLUedCq"),
        ("s³cret ﬁsh é", "pepper", "$2b$04$qOoVQ5Q8qkq2n9RJrhPi4.YXO3e9EEp9oKkd9YLw6DjH5ohR2qnc."),
        (String(repeating: "x", count: 100), "", "$2b$05$jzZRUr/Eyv3PRDl/AT/AcOI20Aim48vDlS1lmm.9ulDRuNGV381I2"),
    ]

    @Test("hashes made by Python's bcrypt are recognised", arguments: known)
    func python(password: String, pepper: String, hash: String) async throws {
        let hasher = PasswordHasher(rounds: 4, pepper: pepper)
        #expect(try await hasher.verify(password, against: hash))
        #expect(try await !hasher.verify("not " + password, against: hash))
        #expect(try await !PasswordHasher(rounds: 4, pepper: pepper + "!").verify("short", against: hash))
    }

    @Test("a hash of ours has Synapse's form, is salted, and is recognised")
    func roundTrip() async throws {
        let hasher = PasswordHasher(rounds: 4, pepper: "p")
        let first = try await hasher.hash("wonderland")
        let second = try await hasher.hash("wonderland")
        #expect(first.hasPrefix("$2b$04$") && first.utf8.count == 60)
        #expect(first != second)
        #expect(try await hasher.verify("wonderland", against: first))
        #expect(try await !hasher.verify("Wonderland", against: first))
    }

    @Test("without a hash no password is right")
    func unknownAccount() async throws {
        #expect(try await !PasswordHasher(rounds: 4, pepper: "").verify("", against: nil))
    }

    @Test("a refusal is as much work for a cheaper hash as for the dearest, and for none")
    func workOfRefusals() {
        for dearest in 4...15 {
            for spent in [nil] + (4...15).map(Optional.some) {
                let costs = [spent].compactMap(\.self) + PasswordHasher.costsOfRefusal(spent: spent, dearest: dearest)
                #expect(costs.reduce(0) { $0 + 1 << $1 } == 1 << max(dearest, spent ?? 0), "\(String(describing: spent)), \(dearest)")
            }
        }
    }

    @Test("refusals come to the dearest hash that was met, but for those that would take seconds")
    func dearestHash() {
        let hasher = PasswordHasher(rounds: 6, pepper: "")
        let cases = [
            (nil, 6), ("$2b$04$cheap", 6), ("$2b$08$dear", 8), (nil, 8), ("$2b$07$usual", 8), ("no hash at all", 8), ("$2b$16$too dear", 8),
            ("$2b$15$dearest", 15),
        ]
        for (hash, cost) in cases { #expect(hasher.noteCost(of: hash) == cost, "\(hash ?? "none")") }
    }

    @Test("a wrong password is refused beside cheaper, dearer and unreadable hashes, and a right one is not")
    func refusals() async throws {
        let hasher = PasswordHasher(rounds: 6, pepper: "")
        let cheap = try await PasswordHasher(rounds: 4, pepper: "").hash("cheap")
        let dear = try await PasswordHasher(rounds: 8, pepper: "").hash("dear")
        for hash in [nil, cheap, try await hasher.hash("usual"), dear, "no hash at all"] {
            #expect(try await !hasher.verify("wrong", against: hash))
        }
        #expect(try await hasher.verify("cheap", against: cheap))
        #expect(try await hasher.verify("dear", against: dear))
    }

    @Test("a password with a NUL is refused, and does not pass for what stands before it")
    func nul() async throws {
        let hasher = PasswordHasher(rounds: 4, pepper: "")
        await #expect(throws: MatrixError.self) { _ = try await hasher.hash("secret\0tail") }
        let hash = try await hasher.hash("secret")
        #expect(try await !hasher.verify("secret\0tail", against: hash))
    }

    @Test("an unreadable stored hash fits no password", arguments: ["", "*", "$2b$04$short", "plain"])
    func unreadable(hash: String) async throws {
        #expect(try await !PasswordHasher(rounds: 4, pepper: "").verify("plain", against: hash))
    }

    @Test(
        "passwords are brought into normalization form KC",
        arguments: [
            ("plain", "plain"), ("e\u{301}", "\u{E9}"), ("x²", "x2"), ("ﬁ", "fi"), ("\u{B4}", "\u{20}\u{301}"), ("Ａ", "A"),
            ("ẛ̣", "ṩ"), ("가", "\u{AC00}"), ("㎏", "kg"),
        ])
    func normalization(text: String, expected: String) {
        #expect(Array(PasswordNormalization.nfkc(text).unicodeScalars) == Array(expected.unicodeScalars))
    }
}
