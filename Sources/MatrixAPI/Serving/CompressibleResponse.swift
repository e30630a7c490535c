// Responses on a listener with `compress: true`, as the parts that NIO's compressor takes.

import NIOCore
import NIOHTTP1
import NIOHTTPCompression

enum CompressibleResponse {
    /// Marks a head that must not be compressed; the compressor's predicate takes it off again.
    private static let identityMarker = "X-Martlet-Identity"
    /// Below this a compressed body is hardly smaller.
    private static let smallestBytes = 512

    /// Head and body; the end is written by the caller.
    static func parts(
        _ response: APIResponse, connection: ResponseHead.Connection, omitBody: Bool, allocator: ByteBufferAllocator
    ) -> [HTTPServerResponsePart] {
        var headers = HTTPHeaders(ResponseHead.commonFields.map { ($0.name, $0.value) })
        for (name, value) in ResponseHead.fields(of: response) { headers.add(name: name, value: value) }
        headers.add(name: "Date", value: String(decoding: HTTPClock.shared.date, as: UTF8.self))
        let hasBody = ResponseHead.mayHaveBody(response.status)
        if hasBody { headers.add(name: "Content-Length", value: String(response.length)) }
        switch connection {
        case .close: headers.add(name: "Connection", value: "close")
        case .keepAlive: headers.add(name: "Connection", value: "keep-alive")
        case .unsaid: break
        }
        let isText = response.contentType == APIResponse.jsonType || response.contentType.hasPrefix("text/")
        // What is sent piece by piece has told its length.
        let isWhole = !omitBody && hasBody && response.stream == nil
        if !isWhole || !isText || response.body.count < smallestBytes { headers.add(name: identityMarker, value: "1") }
        let head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: response.status), headers: headers)
        guard hasBody, !omitBody, !response.body.isEmpty else { return [.head(head)] }
        return [.head(head), .body(.byteBuffer(allocator.buffer(bytes: response.body)))]
    }

    static func compressor() -> HTTPResponseCompressor {
        HTTPResponseCompressor { head, _ in
            let isMarked = head.headers.contains(name: identityMarker)
            head.headers.remove(name: identityMarker)
            guard !isMarked else { return .doNotCompress }
            head.headers.add(name: "Vary", value: "Accept-Encoding")
            return .compressIfPossible
        }
    }
}
