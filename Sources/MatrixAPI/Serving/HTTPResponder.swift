// What a connection asks: which endpoint a request is for, and the answer.

import MatrixCore

/// The answer to one request, with what the log says about it.
package struct Answer: Sendable {
    package var response: APIResponse
    /// Who asked, where that is known.
    package var user: UserID?
    /// What went wrong inside the server, for the log only.
    package var failure: String?

    package init(_ response: APIResponse, user: UserID? = nil, failure: String? = nil) {
        self.response = response
        self.user = user
        self.failure = failure
    }
}

/// The side of a listener that knows the endpoints; the other side knows HTTP.
package protocol HTTPResponder: Sendable {
    func match(_ method: HTTPMethod, _ target: String) -> RouteMatch
    func answer(_ request: APIRequest, _ endpoint: Endpoint, _ parameters: PathParameters) async -> Answer
}

extension HTTPResponder {
    /// What can be answered without an endpoint: paths and methods that do not exist, and every OPTIONS.
    /// Client-Server API §Web Browser Clients, §API Standards.
    func answerWithoutEndpoint(_ method: HTTPMethod, _ match: RouteMatch) -> APIResponse? {
        if method == .options { return APIResponse(body: []) }
        switch match {
        case .found: return nil
        case .unknownPath: return .error(.unrecognized)
        case .unknownMethod(let allowed):
            var response = APIResponse.error(.unrecognizedMethod)
            response.headers.append(("Allow", allowed.map(\.name).joined(separator: ", ")))
            return response
        }
    }
}
