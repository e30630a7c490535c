// What the services of single sign-on answer, as browsers get it.

import Homeserver
import MatrixCore

extension APIContext {
    /// Answers a browser, with a page about it where somebody is not logged in.
    func answerBrowser(
        policy: PagePolicy = .plain, _ handler: () async throws -> SignOnAnswer
    ) async throws -> APIResponse {
        do {
            return try response(try await handler(), policy)
        } catch let failure as SignOnFailure {
            return try response(failure.answer, policy)
        }
    }

    private func response(_ answer: SignOnAnswer, _ policy: PagePolicy) throws -> APIResponse {
        var response: APIResponse =
            switch answer.content {
            case .redirect(let address): .redirect(to: address)
            case .page(let page): try self.page(page.template, page.values, status: page.status, policy: policy)
            }
        let baseURL = homeserver.configuration.publicBaseURL
        response.headers += answer.cookies.map { ("Set-Cookie", $0.header(publicBaseURL: baseURL)) }
        return response
    }

    /// A cookie of the request. RFC 6265 §4.2.
    func cookie(_ name: String) -> String? {
        for field in request.headers.all("Cookie") {
            for pair in field.split(separator: ";") {
                let pair = pair.drop { $0 == " " }
                guard let equals = pair.firstIndex(of: "="), pair[..<equals] == name else { continue }
                return String(pair[pair.index(after: equals)...])
            }
        }
        return nil
    }
}
