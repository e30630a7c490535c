// Runs an endpoint: who asks, the handler, and the standard error response for what it throws.

import Federation
import Homeserver
import Logging
import MatrixCore
import Persistence
import Rooms

package struct APIResponder: HTTPResponder {
    private let homeserver: Homeserver
    private let router: Router

    /// - Parameter routes: those of the listener's resources.
    package init(homeserver: Homeserver, routes: [Route]) {
        self.homeserver = homeserver
        router = Router(routes)
    }

    package func match(_ method: HTTPMethod, _ target: String) -> RouteMatch { router.match(method, target) }

    package func answer(_ request: APIRequest, _ endpoint: Endpoint, _ parameters: PathParameters) async -> Answer {
        if endpoint.route.access == .federation { return await answerServer(request, endpoint, parameters) }
        var requester: Requester?
        do {
            requester = try await authenticate(request, endpoint.route.access)
            if requester?.isGuest == true, !endpoint.route.allowsGuests { throw MatrixError.guestForbidden }
            let context = APIContext(homeserver: homeserver, request: request, requester: requester, parameters: parameters)
            if let requester, let deed = endpoint.route.deed {
                try await homeserver.gate.check(deed, by: requester, in: deed == .join ? context.namedRoom : nil)
            }
            let isSpared = requester?.isRateLimited == false
            let response =
                try await isSpared
                ? RateLimiter.$isSpared.withValue(true) { try await endpoint.route.handler(context) } : endpoint.route.handler(context)
            return Answer(response, user: requester?.user)
        } catch let error as MatrixError {
            return Answer(.error(error), user: requester?.user)
        } catch {
            let (response, failure) = Self.response(to: error)
            return Answer(response, user: requester?.user, failure: failure)
        }
    }

    /// Another server asks: one whose signature holds, and not more often than the operator allows.
    private func answerServer(_ request: APIRequest, _ endpoint: Endpoint, _ parameters: PathParameters) async -> Answer {
        do {
            let federation = homeserver.federation
            let origin = try await federation.authenticator.authenticate(
                SignedRequest(
                    method: request.method.name, uri: request.target, authorization: request.headers.all("Authorization"),
                    body: request.body))
            let context = APIContext(
                homeserver: homeserver, request: request, requester: nil, parameters: parameters, origin: origin)
            return Answer(try await federation.rateLimiter.run(origin.server) { try await endpoint.route.handler(context) })
        } catch let error as MatrixError {
            return Answer(.error(error))
        } catch {
            let (response, failure) = Self.response(to: error)
            return Answer(response, failure: failure)
        }
    }

    // MARK: Who asks

    /// Client-Server API §Using access tokens.
    private func authenticate(_ request: APIRequest, _ access: Route.Access) async throws -> Requester? {
        if access == .open { return nil }
        guard let token = try AccessToken.of(request) else {
            if access == .optionalUser { return nil }
            throw MatrixError.missingToken
        }
        if let service = homeserver.applicationServices.service(token: token, from: request.remoteAddress) {
            return try await authenticate(service, request, access)
        }
        let requester = try await homeserver.sessions.authenticate(token: token)
        if access == .admin, !requester.isAdmin { throw MatrixError.forbidden("You are not a server admin") }
        note(requester, request)
        return requester
    }

    /// Application Service API §Identity assertion.
    private func authenticate(_ service: ApplicationService, _ request: APIRequest, _ access: Route.Access) async throws -> Requester {
        let query = QueryString(request.rawQuery)
        let requester = try await homeserver.applicationServices.requester(
            service, as: query.first("user_id"), device: query.first("device_id") ?? query.first("org.matrix.msc3202.device_id"))
        if access == .admin, !requester.isAdmin { throw MatrixError.forbidden("You are not a server admin") }
        if homeserver.configuration.usage.tracksServices { note(requester, request) }
        return requester
    }

    private func note(_ requester: Requester, _ request: APIRequest) {
        homeserver.sessions.activity.note(requester, address: request.remoteAddress, userAgent: request.headers["User-Agent"])
    }

    // MARK: What went wrong

    private static func response(to error: any Error) -> (APIResponse, failure: String?) {
        switch error {
        case let error as DatabaseError: response(to: error)
        case is JournalStopped, is CancellationError: (.error(.unknown("The server is stopping", status: 503)), nil)
        case let error as JSONError: (.error(MatrixError(error)), nil)
        case let error as IdentifierError: (.error(MatrixError(error)), nil)
        case let error as EventError: (.error(MatrixError(error)), nil)
        default: (.error(.internalError), "\(error)")
        }
    }

    private static func response(to error: DatabaseError) -> (APIResponse, failure: String?) {
        let answer: MatrixError =
            switch error.kind {
            case .invalidText: .badJSON("Text must not contain U+0000")
            case .unavailable, .unknownOutcome, .serialization, .timeout: .unknown("The database is not available", status: 503)
            case .full, .readOnly: .unknown("The database takes no writes", status: 503)
            case .constraint, .syntax, .refused, .other: .internalError
            }
        return (.error(answer), answer.status < 500 ? nil : "database: \(error)")
    }
}

/// The access token of a request: in the `Authorization` header, or (deprecated) in the query.
package enum AccessToken {
    /// - Throws: `M_MISSING_TOKEN` where the header is there and holds none.
    package static func of(_ request: APIRequest) throws(MatrixError) -> String? {
        guard let header = request.headers["Authorization"] else {
            return QueryString(request.rawQuery).first("access_token")
        }
        let scheme = header.utf8.prefix(7)
        guard scheme.elementsEqual("Bearer ".utf8) || equalIgnoringCase(String(header.prefix(7)), "Bearer ") else {
            throw MatrixError(status: 401, errcode: "M_MISSING_TOKEN", message: "Invalid Authorization header")
        }
        var token = header.dropFirst(7)
        while token.first == " " { token = token.dropFirst() }
        guard !token.isEmpty else { throw .missingToken }
        return String(token)
    }
}
