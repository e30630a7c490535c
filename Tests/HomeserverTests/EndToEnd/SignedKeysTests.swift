import Homeserver
import MatrixCore
import Testing

@Suite("Signatures of keys")
struct SignedKeysTests {
    static let alice = UserID(trusted: "@alice:example.org")

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("the same keys take over the signatures that are stored, other keys do not")
    func merging() {
        let stored = Array(#"{"keys":{"a":"1"},"signatures":{"@alice:example.org":{"ed25519:P":"p","ed25519:S":"s"}}}"#.utf8)
        let again = Array(#"{"keys":{"a":"1"},"signatures":{"@alice:example.org":{"ed25519:P":"q"},"@bob:b":{"x":"y"}}}"#.utf8)
        #expect(
            text(SignedKeys.merging(again, withSignaturesOf: stored))
                == #"{"keys":{"a":"1"},"signatures":{"@alice:example.org":{"ed25519:P":"q","ed25519:S":"s"},"@bob:b":{"x":"y"}}}"#)
        let other = Array(#"{"keys":{"a":"2"},"signatures":{}}"#.utf8)
        #expect(SignedKeys.merging(other, withSignaturesOf: stored) == other)
        #expect(SignedKeys.merging(stored, withSignaturesOf: stored) == stored)
    }

    @Test("a signature is added beside the others and taken away in every algorithm; then no empty member remains")
    func addingAndRemoving() {
        let bare = Array(#"{"keys":{"a":"1"}}"#.utf8)
        let signed = SignedKeys.adding([("ed25519:P", "p"), ("other:P", "o")], by: Self.alice, to: bare)
        #expect(text(signed) == #"{"keys":{"a":"1"},"signatures":{"@alice:example.org":{"ed25519:P":"p","other:P":"o"}}}"#)
        #expect(SignedKeys.removing("Q", of: Self.alice, from: signed) == signed)
        #expect(SignedKeys.removing("P", of: UserID(trusted: "@bob:b"), from: signed) == signed)
        #expect(SignedKeys.removing("P", of: Self.alice, from: signed) == bare)
        #expect(SignedKeys.areSame(signed, bare))
    }
}
