// The request methods that the specification's endpoints use.

package enum HTTPMethod: UInt8, Sendable, Hashable, CaseIterable {
    case get, post, put, delete, options, head, patch
    /// Any other method: never routed, answered 405 (or 404 where the path is unknown too).
    case other

    package init(name: String) {
        switch name {
        case "GET": self = .get
        case "POST": self = .post
        case "PUT": self = .put
        case "DELETE": self = .delete
        case "OPTIONS": self = .options
        case "HEAD": self = .head
        case "PATCH": self = .patch
        default: self = .other
        }
    }

    package var name: String {
        switch self {
        case .get: "GET"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .head: "HEAD"
        case .patch: "PATCH"
        case .other: "OTHER"
        }
    }

    /// The method whose handler answers this one: a HEAD request is a GET whose body is not sent.
    var handledAs: HTTPMethod { self == .head ? .get : self }
}
