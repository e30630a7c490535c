// What browsers keep for the server.

import Homeserver
import MatrixCore
import Testing

@Suite("Sealed boxes") struct SealedBoxTests {
    private let now = Timestamp(milliseconds: 1_000_000)

    @Test("what was sealed comes out as it was, also after a restart, until its time is over")
    func opens() throws {
        let sealed = try SealedBox(secret: "s", purpose: "p").seal(["state": "abc"], until: now.advanced(byMilliseconds: 10))
        let restarted = SealedBox(secret: "s", purpose: "p")
        #expect(restarted.open(sealed, at: now)?["state"]?.string == "abc")
        #expect(restarted.open(sealed, at: now.advanced(byMilliseconds: 10)) == nil)
        // It stands in a cookie as it is, and shows nothing of what is in it.
        #expect(sealed.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: ",") })
        #expect(!sealed.contains("abc") && !sealed.contains(Base64.encode(Array("abc".utf8), .urlSafe)))
    }

    @Test("what was changed, sealed with another secret or for another purpose does not open")
    func closed() throws {
        let box = SealedBox(secret: "s", purpose: "p")
        let sealed = try box.seal(["state": "abc"], until: now.advanced(byMilliseconds: 10))
        #expect(SealedBox(secret: "t", purpose: "p").open(sealed, at: now) == nil)
        #expect(SealedBox(secret: "s", purpose: "q").open(sealed, at: now) == nil)
        #expect(SealedBox(secret: nil, purpose: "p").open(sealed, at: now) == nil)
        var bytes = try #require(Base64.decode(sealed, .urlSafe))
        for index in bytes.indices {
            bytes[index] ^= 1
            #expect(box.open(Base64.encode(bytes, .urlSafe), at: now) == nil)
            bytes[index] ^= 1
        }
        for text in ["", "A", "!", String(sealed.dropLast(8))] { #expect(box.open(text, at: now) == nil) }
    }
}
