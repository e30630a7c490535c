// The header by which servers sign requests.

import Federation
import MatrixCore
import Testing

@Suite("X-Matrix")
struct XMatrixTests {
    @Test(
        "quoted or not, in any order and case",
        arguments: [
            #"X-Matrix origin="a.example",destination="b.example",key="ed25519:k1",sig="ABC+/def""#,
            #"X-Matrix origin=a.example,destination=b.example,key=ed25519:k1,sig=ABC+/def"#,
            "X-Matrix   key=\"ed25519:k1\" ,\t sig=\"ABC+/def\",  ORIGIN=a.example , destination=\"b.exam\\ple\"",
            #"x-matrix origin = "a.example", destination="b.example",key="ed25519:k1",sig="ABC+/def",new="thing""#,
        ])
    func wellFormed(header: String) throws {
        let parsed = try #require(XMatrix(header))
        #expect(parsed.origin.string == "a.example" && parsed.destination == "b.example")
        #expect(parsed.keyID == "ed25519:k1" && parsed.signature == "ABC+/def")
        #expect(XMatrix(parsed.header) == parsed)
    }

    @Test("older servers name no destination")
    func noDestination() throws {
        #expect(try #require(XMatrix(#"X-Matrix origin=a.example,key="ed25519:1",sig="s""#)).destination == nil)
    }

    @Test(
        "what is not well formed is none",
        arguments: [
            "", "X-Matrix", "X-Matrix ", "Bearer abc", "X-Matrixorigin=a,key=b,sig=c", "X-Matrix origin=a.example,key=k",
            "X-Matrix origin=localhost:http,key=k,sig=s", "X-Matrix origin=,key=k,sig=s", "X-Matrix origin=\"a.example,key=k,sig=s",
            "X-Matrix origin=a.example,origin=b.example,key=k,sig=s", "X-Matrix origin=\"a\"b,key=k,sig=s",
            "X-Matrix origin=a.example key=k sig=s", "X-Matrix origin=a.example,key=k,sig=\"s\\",
            "X-Matrix origin=a.example,key=k,sig=" + String(repeating: "s", count: 5000),
        ])
    func malformed(header: String) {
        #expect(XMatrix(header) == nil)
    }

    @Test("what is signed is canonical JSON, with the content where there is one")
    func signedBytes() {
        let (a, b) = (ServerName(trusted: "a"), ServerName(trusted: "b"))
        func text(_ content: String?) -> String {
            String(
                decoding: XMatrix.signedBytes(
                    method: "PUT", uri: "/x?y=%20", origin: a, destination: b, content: content.map { Array($0.utf8) }), as: UTF8.self)
        }
        #expect(text(nil) == #"{"destination":"b","method":"PUT","origin":"a","uri":"/x?y=%20"}"#)
        #expect(text(#"{"k":1}"#) == #"{"content":{"k":1},"destination":"b","method":"PUT","origin":"a","uri":"/x?y=%20"}"#)
    }
}
