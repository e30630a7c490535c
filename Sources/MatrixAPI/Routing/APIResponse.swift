// One HTTP response as the endpoints make it: a status, a few headers, and a body of bytes that is written as it stands.

import MatrixCore

package struct APIResponse: Sendable {
    package var status: Int
    package var contentType: String
    /// Header fields beside `Content-Type`, `Content-Length` and what every response carries (CORS, caching, date).
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// In place of `body`: what is too large to be in memory.
    package var stream: ResponseStream?

    package init(status: Int = 200, contentType: String = jsonType, headers: [(name: String, value: String)] = [], body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = body
    }

    package static let jsonType = "application/json"

    /// Bytes of the body.
    package var length: Int { stream?.length ?? body.count }

    /// `200 {}`: what most calls that only do something answer.
    package static let empty = APIResponse(body: [UInt8(ascii: "{"), UInt8(ascii: "}")])

    /// A body that is one JSON value; `build` writes the whole value: `.json { w in w.object { w in w.member("user_id", …) } }`.
    package static func json(status: Int = 200, capacity: Int = 256, _ build: (inout JSONWriter) throws -> Void) rethrows -> APIResponse {
        var writer = JSONWriter(capacity: capacity)
        try build(&writer)
        return APIResponse(status: status, body: writer.bytes)
    }

    /// A body that is one JSON object; `build` writes its members: `.object { w in w.member("user_id", …) }`.
    package static func object(status: Int = 200, capacity: Int = 256, _ build: (inout JSONWriter) throws -> Void) rethrows -> APIResponse {
        var writer = JSONWriter(capacity: capacity)
        try writer.object(build)
        return APIResponse(status: status, body: writer.bytes)
    }

    /// A body that is already JSON.
    package static func json(status: Int = 200, bytes: [UInt8]) -> APIResponse { APIResponse(status: status, body: bytes) }

    /// A body of any other kind.
    package static func bytes(
        _ body: [UInt8], contentType: String, status: Int = 200, headers: [(name: String, value: String)] = []
    ) -> APIResponse {
        APIResponse(status: status, contentType: contentType, headers: headers, body: body)
    }

    /// A short page for people: `text/html`, never cached by anyone else.
    package static func html(_ text: String, status: Int = 200) -> APIResponse {
        APIResponse(status: status, contentType: "text/html; charset=utf-8", body: Array(text.utf8))
    }

    package static func redirect(to location: String) -> APIResponse {
        APIResponse(status: 302, contentType: "text/plain; charset=utf-8", headers: [("Location", location)], body: [])
    }

    /// The specification's standard error response.
    package static func error(_ error: MatrixError) -> APIResponse {
        var response = APIResponse(status: error.status, body: error.body)
        if error.status == 429, let milliseconds = error.extra["retry_after_ms"]?.int {
            response.headers.append(("Retry-After", String((milliseconds + 999) / 1000)))
        }
        return response
    }
}

/// A body that is sent piece by piece, each when the one before has been sent.
package struct ResponseStream: Sendable {
    /// Bytes of all pieces.
    package let length: Int
    /// The next piece; nil after the last.
    package let next: @Sendable () async throws -> [UInt8]?

    package init(length: Int, next: @escaping @Sendable () async throws -> [UInt8]?) {
        self.length = length
        self.next = next
    }
}
