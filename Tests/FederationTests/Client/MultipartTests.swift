// Bodies in parts, also from servers that mean no good.

import Federation
import Testing

@Suite struct MultipartTests {
    private static let boundary = "b0undary"

    private func body(_ parts: String..., end: String = "\r\n--\(boundary)--\r\n") -> [UInt8] {
        Array((parts.map { "\r\n--\(Self.boundary)\r\n\($0)" }.joined() + end).utf8)
    }

    private func reader() throws -> MultipartReader {
        try #require(MultipartReader(contentType: "multipart/mixed; boundary=\(Self.boundary)"))
    }

    /// What a body holds, the contents of its parts joined.
    private func parts(_ bytes: [UInt8], inPiecesOf count: Int) throws -> (parts: [([MultipartReader.Header], String)], isFinished: Bool) {
        var reader = try reader()
        var parts: [([MultipartReader.Header], String)] = []
        for start in stride(from: 0, to: bytes.count, by: count) {
            for element in try reader.take(Array(bytes[start..<min(start + count, bytes.count)])) {
                switch element {
                case .head(let headers): parts.append((headers, ""))
                case .content(let content): parts[parts.count - 1].1 += String(decoding: content, as: UTF8.self)
                case .end, .finished: break
                }
            }
        }
        return (parts, reader.isFinished)
    }

    @Test("a body is read alike, however it is cut into pieces")
    func pieces() throws {
        let content = "\r\n--b0und \r\n\r--\r\n-b0undary\r\n"
        let bytes =
            body("Content-Type: application/json\r\n\r\n{}", "Content-Type: image/png\r\nX: a: b\r\n\r\n\(content)") + Array("after".utf8)
        for count in 1...bytes.count {
            let (parts, isFinished) = try parts(bytes, inPiecesOf: count)
            #expect(isFinished && parts.map(\.1) == ["{}", content])
            #expect(parts.map(\.0).last == [.init("content-type", "image/png"), .init("x", "a: b")])
        }
    }

    @Test("parts may be empty, and their heads too")
    func empty() throws {
        let (parts, isFinished) = try parts(body("\r\n", "Location: https://elsewhere.example/x\r\n\r\n"), inPiecesOf: 3)
        #expect(isFinished && parts.map(\.1) == ["", ""] && parts[0].0.isEmpty)
        #expect(parts[1].0 == [.init("location", "https://elsewhere.example/x")])
    }

    @Test("the first part may stand at the very beginning, or after some words")
    func beginning() throws {
        for prefix in ["--\(Self.boundary)\r\n\r\nx", "some words\r\n--\(Self.boundary) \t\r\n\r\nx"] {
            let (parts, isFinished) = try parts(Array("\(prefix)\r\n--\(Self.boundary)--".utf8), inPiecesOf: 5)
            #expect(isFinished && parts.map(\.1) == ["x"])
        }
    }

    @Test("a body that ends early is not finished")
    func cutOff() throws {
        let whole = body("\r\nsome content")
        #expect(try !parts(Array(whole.dropLast(6)), inPiecesOf: 4).isFinished)
    }

    @Test(
        "what goes on without end is malformed",
        arguments: [
            String(repeating: "x", count: 40_000), "--\(boundary)\r\nX: \(String(repeating: "y", count: 40_000))",
            "--\(boundary)\(String(repeating: " ", count: 40_000))", "--\(boundary)andmore\r\n\r\n",
        ])
    func endless(text: String) throws {
        for count in [1000, 50_000] {
            #expect(throws: MultipartReader.Malformed.self) { try parts(Array(text.utf8), inPiecesOf: count) }
        }
    }

    @Test("of a long content no more is kept than a boundary is long")
    func bounded() throws {
        var reader = try reader()
        var given = try reader.take(body("\r\n", end: "")).count
        for _ in 0..<100 {
            for case .content(let bytes) in try reader.take([UInt8](repeating: 13, count: 1000)) { given += bytes.count }
        }
        #expect(given > 99_000)
    }

    @Test(
        "a body that names no boundary has no parts",
        arguments: ["multipart/mixed", "text/plain; boundary=x", "multipart/mixed; boundary=", ""])
    func noBoundary(contentType: String) {
        #expect(MultipartReader(contentType: contentType) == nil)
        #expect(MultipartReader(contentType: "multipart/mixed; boundary=\(String(repeating: "b", count: 201))") == nil)
    }

    @Test("what is written for other servers is what is read of them")
    func roundTrip() throws {
        let envelope = MultipartEnvelope(
            headers: [("Content-Type", "image/png"), ("Content-Disposition", "inline; filename=a.png\r\nX: y")], boundary: "abc")
        var reader = try #require(MultipartReader(contentType: envelope.contentType))
        let elements = try reader.take(envelope.prefix + Array("content".utf8) + envelope.suffix)
        #expect(
            elements == [
                .head([.init("content-type", "application/json")]), .content(Array("{}".utf8)), .end,
                .head([.init("content-type", "image/png"), .init("content-disposition", "inline; filename=a.pngX: y")]),
                .content(Array("content".utf8)), .end, .finished,
            ])
    }

    @Test("parameters of a header may be quoted")
    func parameters() {
        let header = HeaderParameters(#"Attachment; FileName="a;\"b\".txt" ; filename*=utf-8''x%20y; flag"#)
        #expect(header.value == "attachment" && header["filename"] == #"a;"b".txt"# && header["filename*"] == "utf-8''x%20y")
        #expect(header["flag"] == nil && HeaderParameters("").value == "")
    }
}
