// One endpoint: method, path templates, who may call it, and the function that answers.

import Homeserver

/// Which of a listener's `resources` serves a route (Synapse's names).
package enum ListenerResource: String, Sendable, Hashable, CaseIterable {
    case client, federation, keys, media, openid, metrics, health, `static`, consent
}

package struct Route: Sendable {
    /// Who may call an endpoint.
    package enum Access: Sendable {
        /// Anyone; a token is not looked at.
        case open
        /// Anyone; a token that is sent must be valid.
        case optionalUser
        /// The holder of a valid access token; guests only where `GuestRoutes` has the endpoint.
        case user
        /// The holder of a valid access token whose account is a server administrator's.
        case admin
        /// Another server, by its signature. Server-Server API §Request Authentication.
        case federation
    }

    package typealias Handler = @Sendable (APIContext) async throws -> APIResponse

    /// 64 KiB of event plus room for what surrounds it.
    package static let defaultBodyLimit = 128 * 1024

    package let method: HTTPMethod
    /// Paths such as `/_matrix/client/v3/rooms/{roomId}/messages`. A parameter fills exactly one segment of the raw path,
    /// which may be empty (`…/state/m.room.name/` has the empty state key), as with Synapse's `[^/]*`.
    package let templates: [String]
    package let access: Access
    /// Whether a guest's token is good for it.
    package let allowsGuests: Bool
    /// What its callers do, where not every account may do that; nil also where the handler has to find out.
    package let deed: AccountDeed?
    /// The largest request body in bytes; a larger one is refused with 413 `M_TOO_LARGE`.
    package let bodyLimit: Int
    /// Whether the handler takes the body as it comes, from `APIRequest.bodyStream`, and sees to its size.
    package let streamsBody: Bool
    package let resource: ListenerResource
    package let handler: Handler

    package init(
        _ method: HTTPMethod, _ template: String, access: Access = .user, bodyLimit: Int = defaultBodyLimit, _ handler: @escaping Handler
    ) {
        self.init(method, templates: [template], access: access, bodyLimit: bodyLimit, handler)
    }

    package init(
        _ method: HTTPMethod, templates: [String], access: Access = .user, bodyLimit: Int = defaultBodyLimit,
        streamsBody: Bool = false, resource: ListenerResource? = nil, deed: AccountDeed? = nil, _ handler: @escaping Handler
    ) {
        precondition(!templates.isEmpty, "a route needs a path")
        self.method = method
        self.templates = templates
        self.access = access
        allowsGuests = access != .user || GuestRoutes.include(method, templates[0])
        self.deed = deed
        self.bodyLimit = bodyLimit
        self.streamsBody = streamsBody
        self.resource = resource ?? Route.resource(of: templates[0])
        self.handler = handler
    }

    /// A client-server endpoint under every version prefix that Synapse serves: `/_matrix/client/r0`, `/v3` and `/unstable`.
    ///
    /// - Parameters:
    ///   - path: what follows the version, e.g. `/rooms/{roomId}/messages`.
    ///   - deed: what its callers do, where not every account may do that.
    ///   - versions: the prefixes; pass `["v1"]` and so on where the specification introduced the endpoint later.
    ///   - legacy: also under `/_matrix/client/api/v1`, which a few old clients use.
    package static func client(
        _ method: HTTPMethod, _ path: String, versions: [String] = ["v3", "r0", "unstable"], legacy: Bool = false,
        access: Access = .user, bodyLimit: Int = defaultBodyLimit, deed: AccountDeed? = nil, _ handler: @escaping Handler
    ) -> Route {
        var templates = versions.map { "/_matrix/client/\($0)\(path)" }
        if legacy { templates.append("/_matrix/client/api/v1\(path)") }
        return Route(
            method, templates: templates, access: access, bodyLimit: bodyLimit, resource: .client, deed: deed, handler)
    }

    /// An endpoint for other servers: `/_matrix/federation/v1` and what follows.
    package static func federation(
        _ method: HTTPMethod, _ path: String, version: String = "v1", bodyLimit: Int = defaultBodyLimit, _ handler: @escaping Handler
    ) -> Route {
        Route(
            method, templates: ["/_matrix/federation/\(version)\(path)"], access: .federation, bodyLimit: bodyLimit, resource: .federation,
            handler)
    }

    /// The resource a path belongs to, as Synapse splits them.
    static func resource(of path: String) -> ListenerResource {
        for (prefix, resource) in prefixes where path.hasPrefix(prefix) { return resource }
        return .client
    }

    private static let prefixes: [(String, ListenerResource)] = [
        ("/health", .health),
        ("/_synapse/metrics", .metrics),
        ("/_matrix/federation/", .federation),
        ("/_matrix/key/", .keys),
        ("/_matrix/media/", .media),
        ("/_matrix/client/v1/media/", .media),
        ("/_matrix/static", .static),
        ("/_matrix/consent", .consent),
    ]
}
