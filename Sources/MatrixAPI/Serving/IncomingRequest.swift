// A request while it comes in.

import Federation
import NIOCore
import NIOHTTP1

struct IncomingRequest {
    let method: HTTPMethod
    let target: String
    let headers: RequestHeaders
    let keepsAlive: Bool
    let isHTTP10: Bool
    let match: RouteMatch
    /// The answer that needs no endpoint.
    let immediate: APIResponse?
    /// The largest body that is taken, in bytes.
    let bodyLimit: Int
    var body: [UInt8] = []
    /// The body, where the endpoint takes it as it comes.
    var bodyStream: ByteQueue?
    var began = NIODeadline.uptimeNanoseconds(0)

    init(_ head: HTTPRequestHead, _ responder: any HTTPResponder) {
        method = HTTPMethod(head.method)
        target = Self.originForm(head.uri)
        headers = RequestHeaders(head.headers)
        keepsAlive = head.isKeepAlive
        isHTTP10 = head.version.major == 1 && head.version.minor == 0
        match = responder.match(method, target)
        immediate = responder.answerWithoutEndpoint(method, match)
        if case .found(let endpoint, _) = match { bodyLimit = endpoint.route.bodyLimit } else { bodyLimit = Route.defaultBodyLimit }
    }

    /// Whether the endpoint takes the body as it comes.
    var streamsBody: Bool {
        if case .found(let endpoint, _) = match { endpoint.route.streamsBody } else { false }
    }

    /// Whether nothing happens by it, so that it may be dropped when nobody waits for it any more.
    var isSafe: Bool { method == .get || method == .head }

    /// The path and query of an absolute request target, which a proxy may send. RFC 9112 §3.2.2.
    private static func originForm(_ uri: String) -> String {
        guard uri.utf8.first != UInt8(ascii: "/") else { return uri }
        for scheme in ["http://", "https://"] where equalIgnoringCase(String(uri.prefix(scheme.count)), scheme) {
            let rest = uri.dropFirst(scheme.count)
            guard let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/")) else { return "/" }
            return String(rest[slash...])
        }
        return uri
    }
}

extension RequestHeaders {
    init(_ headers: HTTPHeaders) {
        var fields: [(name: String, value: String)] = []
        fields.reserveCapacity(headers.count)
        for (name, value) in headers { fields.append((name, value)) }
        self.init(fields)
    }
}

extension HTTPMethod {
    init(_ method: NIOHTTP1.HTTPMethod) {
        switch method {
        case .GET: self = .get
        case .POST: self = .post
        case .PUT: self = .put
        case .DELETE: self = .delete
        case .OPTIONS: self = .options
        case .HEAD: self = .head
        case .PATCH: self = .patch
        default: self = .other
        }
    }
}

/// `X-Forwarded-For: client, proxy, …`.
package enum ForwardedHeader {
    /// The first address, as Synapse takes it: the proxy in front is trusted to have set the header.
    package static func client(_ value: String) -> String? {
        let first = value.prefix { $0 != "," }.filter { $0 != " " && $0 != "\t" }
        guard !first.isEmpty, first.utf8.count <= 64, first.utf8.allSatisfy(isAddressByte) else { return nil }
        return first
    }

    /// What addresses, host names and the "unknown" of RFC 7239 are made of; nothing that could confuse a log.
    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "%"):
            true
        default: false
        }
    }
}
