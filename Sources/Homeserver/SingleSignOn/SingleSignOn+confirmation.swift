// Single sign-on as a stage of user-interactive authentication. Client-Server API §Single Sign-On (`m.login.sso`).

import MatrixCore
import Persistence

extension SingleSignOn {
    /// Whether a user can show who they are at one of the providers.
    package func canConfirm(_ user: UserID) async throws -> Bool { try await !providers(of: user).isEmpty }

    /// The page that tells somebody what they are about to confirm, and leads to their provider.
    ///
    /// - Throws: `MatrixError` for an unknown session; `SignOnFailure`.
    package func confirmation(of session: String, in interactive: InteractiveAuthentication) async throws -> SignOnAnswer {
        let operation = try await interactive.session(session).operation
        guard let user = operation.user, let provider = try await providers(of: user).first else {
            throw MatrixError.unknown("User has no SSO identities", status: 400)
        }
        let answer = try await provider.begin(.confirmation(session: session)) { _ in nil }
        guard case .redirect(let address) = answer.content else { return answer }
        let values: TemplateValues = [
            "redirect_url": .string(address), "description": .string(Self.description(of: operation)),
            "idp": provider.appearance.templateValue,
        ]
        return SignOnAnswer(.page(SignOnPage(template: "sso_auth_confirm.html", values: values, status: 200)), cookies: answer.cookies)
    }

    /// Takes somebody's proof for an operation: it counts where the account is theirs. Who it was is noted in any case, so that the
    /// operation fails where it was somebody else.
    package func confirm(
        _ provider: String, _ subject: String, session: String, in interactive: InteractiveAuthentication
    ) async throws -> SignOnAnswer {
        let wanted = try await interactive.session(session).operation.user
        let user = try await database.read { try ExternalIDStore.user(provider, subject, on: $0) }
        try await interactive.complete(SingleSignOnStage.type, with: StageOutcome(StageResult(user: user)), session: session)
        guard let user, user == wanted else {
            logger.info("somebody else has confirmed an operation", metadata: ["provider": "\(provider)"])
            return .page("sso_auth_bad_user.html", ["user_id_to_verify": .string(wanted?.string ?? "")])
        }
        return .page("sso_auth_success.html", [:])
    }

    private func providers(of user: UserID) async throws -> [any IdentityProvider] {
        let names = try await database.read { try ExternalIDStore.providers(of: user, on: $0) }
        return providers.filter { provider in names.contains { ByteString($0) == ByteString(provider.appearance.id) } }
    }

    /// In words, after "a client is trying to".
    private static func description(of operation: InteractiveAuthSession.Operation) -> String {
        let descriptions: [(suffix: String, text: String)] = [
            ("/delete_devices", "remove devices from your account"), ("/account/password", "change your password"),
            ("/account/deactivate", "deactivate your account"), ("/device_signing/upload", "reset the keys that sign your devices"),
            ("/login/get_token", "log another device in to your account"), ("/account/3pid/add", "add an address to your account"),
        ]
        if let known = descriptions.first(where: { operation.path.hasSuffix($0.suffix) }) { return known.text }
        return operation.method == "DELETE" ? "remove a device from your account" : "change something in your account"
    }
}
