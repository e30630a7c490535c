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

    @Test("a refusal takes as long for a cheaper and a dearer hash as for none")
    func refusals() async throws {
        // Each costs four times what the one before costs, so that a busy machine is not taken for a difference.
        let hasher = PasswordHasher(rounds: 6, pepper: "")
        let hashes = [
            nil, try await PasswordHasher(rounds: 4, pepper: "").hash("cheap"), try await hasher.hash("usual"),
            try await PasswordHasher(rounds: 8, pepper: "").hash("dear"), "no hash at all",
        ]
        // That there are dearer ones is seen at the first of them.
        for hash in hashes { #expect(try await !hasher.verify("wrong", against: hash)) }
        var fastest = hashes.map { _ in Duration.seconds(1000) }
        for _ in 0..<24 {
            for (index, hash) in hashes.enumerated() {
                let took = try await ContinuousClock().measure { _ = try await hasher.verify("wrong", against: hash) }
                fastest[index] = min(fastest[index], took)
            }
        }
        let (least, most) = (fastest.min() ?? .zero, fastest.max() ?? .zero)
        #expect(most < least * 2.5, "\(fastest)")
        #expect(try await hasher.verify("cheap", against: hashes[1]))
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
