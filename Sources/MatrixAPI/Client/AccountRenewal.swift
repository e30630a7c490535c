// Accounts that end go on: the link in a mail, and a mail for who asks. Synapse's `/account_validity/renew` and `/account_validity/send_mail`.

import Homeserver
import MatrixCore

enum AccountRenewalRoutes {
    static let table: [Route] = [
        .client(.get, "/account_validity/renew", access: .open, renew),
        // Open: who has an account that has ended asks for the mail as well.
        .client(.post, "/account_validity/send_mail", access: .open, sendMail),
    ]

    private static func renew(_ context: APIContext) async throws -> APIResponse {
        let token = try context.requiredQuery("token")
        let names = context.homeserver.configuration.accountValidity
        switch try await context.homeserver.accountRenewal?.renew(by: token) ?? .unknownLink {
        case .renewed(let end): return try context.page(names.renewedPage, ["expiration_ts": .int(end.milliseconds)])
        case .alreadyRenewed(let end):
            return try context.page("account_previously_renewed.html", ["expiration_ts": .int(end.milliseconds)])
        case .unknownLink: return try context.page(names.unknownLinkPage, status: 404)
        }
    }

    private static func sendMail(_ context: APIContext) async throws -> APIResponse {
        guard let token = try AccessToken.of(context.request) else { throw MatrixError.missingToken }
        guard let renewal = context.homeserver.accountRenewal else {
            throw MatrixError.forbidden("Account renewal via email is disabled on this server.")
        }
        try await renewal.send(toHolderOf: token)
        return .empty
    }
}
