// Response heads as bytes. What all responses share is rendered once; a response of JSON costs one buffer and one write.
// Client-Server API §Web Browser Clients (CORS).

import NIOCore

enum ResponseHead {
    /// What every response carries.
    static let commonFields: [(name: String, value: String)] = [
        ("Server", "Martlet"),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        ("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization, Date, If-Match, If-None-Match"),
        ("Access-Control-Expose-Headers", "Synapse-Trace-Id, Server, ETag"),
    ]

    /// What a response carries that says nothing else about caching.
    static let cacheControl = "no-cache, no-store, must-revalidate"

    private static let common = render(commonFields)
    private static let jsonFields = Array("Content-Type: application/json\r\nCache-Control: \(cacheControl)\r\n".utf8)
    private static let ok = Array("HTTP/1.1 200 OK\r\n".utf8)
    private static let dateName = Array("Date: ".utf8)
    private static let lengthName = Array("\r\nContent-Length: ".utf8)
    private static let end = Array("\r\n\r\n".utf8)
    private static let close = Array("\r\nConnection: close\r\n\r\n".utf8)
    private static let keepAlive = Array("\r\nConnection: keep-alive\r\n\r\n".utf8)

    /// What the head says about the connection.
    enum Connection: Sendable {
        case close, keepAlive
        /// Nothing: HTTP/1.1 keeps connections by default.
        case unsaid
    }

    static let continueBytes = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// The whole response.
    ///
    /// - Parameter omitBody: for HEAD: the length is that of the body, which is not sent.
    static func render(_ response: APIResponse, connection: Connection, omitBody: Bool, allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 640 + (omitBody ? 0 : response.body.count))
        if response.status == 200 {
            buffer.writeBytes(ok)
        } else {
            buffer.writeString("HTTP/1.1 \(response.status) \(reason(response.status))\r\n")
        }
        buffer.writeBytes(common)
        if response.headers.isEmpty, response.contentType == APIResponse.jsonType {
            buffer.writeBytes(jsonFields)
        } else {
            for (name, value) in fields(of: response) { buffer.writeString("\(name): \(value)\r\n") }
        }
        buffer.writeBytes(dateName)
        buffer.writeBytes(HTTPClock.shared.date)
        if mayHaveBody(response.status) {
            buffer.writeBytes(lengthName)
            buffer.writeString(String(response.length))
        }
        switch connection {
        case .close: buffer.writeBytes(close)
        case .keepAlive: buffer.writeBytes(keepAlive)
        case .unsaid: buffer.writeBytes(end)
        }
        if !omitBody, mayHaveBody(response.status) { buffer.writeBytes(response.body) }
        return buffer
    }

    /// A response's own fields, with the defaults for content type and caching. A line break in a value would be a field of its own:
    /// such a value is cut there.
    static func fields(of response: APIResponse) -> [(name: String, value: String)] {
        var fields = response.headers.map { (name: $0.name, value: firstLine($0.value)) }
        if mayHaveBody(response.status), response.length > 0 || response.contentType != APIResponse.jsonType {
            fields.append(("Content-Type", firstLine(response.contentType)))
        }
        if !response.headers.contains(where: { equalIgnoringCase($0.name, "Cache-Control") }) {
            fields.append(("Cache-Control", cacheControl))
        }
        return fields
    }

    static func mayHaveBody(_ status: Int) -> Bool { status >= 200 && status != 204 && status != 304 }

    private static func firstLine(_ value: String) -> String {
        guard let cut = value.utf8.firstIndex(where: { $0 < 0x20 && $0 != UInt8(ascii: "\t") }) else { return value }
        return String(value[..<cut])
    }

    private static func render(_ fields: [(name: String, value: String)]) -> [UInt8] {
        fields.flatMap { Array("\($0.name): \($0.value)\r\n".utf8) }
    }

    static func reason(_ status: Int) -> String { reasons[status] ?? "Status \(status)" }

    private static let reasons: [Int: String] = [
        200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently", 302: "Found",
        303: "See Other", 304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
        411: "Length Required", 412: "Precondition Failed", 413: "Payload Too Large", 415: "Unsupported Media Type",
        416: "Range Not Satisfiable", 422: "Unprocessable Content", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
        500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
        507: "Insufficient Storage",
    ]
}
