// One HTTP request as the endpoints see it.

import Federation

/// The request's header fields; names compare without regard to case.
package struct RequestHeaders: Sendable {
    package let fields: [(name: String, value: String)]

    package init(_ fields: [(name: String, value: String)] = []) { self.fields = fields }

    /// The first value of a field.
    package subscript(name: String) -> String? {
        for field in fields where equalIgnoringCase(field.name, name) { return field.value }
        return nil
    }

    /// All values of a field, in order.
    package func all(_ name: String) -> [String] {
        fields.compactMap { equalIgnoringCase($0.name, name) ? $0.value : nil }
    }
}

package struct APIRequest: Sendable {
    /// Counts up from 1 for the life of the process; it is the number in the request's log lines.
    package let id: UInt64
    package let method: HTTPMethod
    /// The request target as it was sent: raw, undecoded path and query.
    package let target: String
    package let headers: RequestHeaders
    /// The caller's address without a port: the peer's, or the one from `X-Forwarded-For` where the listener trusts it.
    package let remoteAddress: String
    /// Whether the caller reached us over TLS, by this listener or (on an `x_forwarded` listener) by `X-Forwarded-Proto`.
    package let isSecure: Bool
    package let body: [UInt8]
    /// The body of a request to a route that takes it as it comes; nil for every other one.
    package let bodyStream: ByteQueue?
    /// The path's length in bytes; what follows, if anything, is `?` and the query.
    let pathLength: Int

    package init(
        id: UInt64 = 0, method: HTTPMethod, target: String, headers: RequestHeaders = RequestHeaders(), remoteAddress: String = "",
        isSecure: Bool = false, body: [UInt8] = [], bodyStream: ByteQueue? = nil
    ) {
        self.id = id
        self.method = method
        self.target = target
        self.headers = headers
        self.remoteAddress = remoteAddress
        self.isSecure = isSecure
        self.body = body
        self.bodyStream = bodyStream
        pathLength = Self.pathLength(of: target)
    }

    /// The raw path, undecoded.
    package var path: String { String(target[..<pathEnd]) }

    /// The raw query, without its `?`.
    package var rawQuery: Substring { target[pathEnd...].dropFirst() }

    private var pathEnd: String.Index { target.utf8.index(target.utf8.startIndex, offsetBy: pathLength) }

    private static func pathLength(of target: String) -> Int {
        var length = 0
        for byte in target.utf8 {
            if byte == UInt8(ascii: "?") { return length }
            length += 1
        }
        return length
    }
}

func equalIgnoringCase(_ a: String, _ b: String) -> Bool {
    let a = a.utf8, b = b.utf8
    guard a.count == b.count else { return false }
    return zip(a, b).allSatisfy { $0 == $1 || lowercased($0) == lowercased($1) }
}

private func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}
