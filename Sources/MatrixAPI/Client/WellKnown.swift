// How clients and servers find this server. Client-Server API §Server discovery; Server-Server API §Resolving server names.

import Homeserver
import MatrixCore
import ServerConfiguration

enum WellKnownRoutes {
    static let table: [Route] = [
        Route(.get, "/.well-known/matrix/client", access: .open, client),
        Route(.get, "/.well-known/matrix/server", access: .open, server),
        // No option says whom to ask for help, and there is no policy server.
        Route(.get, "/.well-known/matrix/support", access: .open) { _ in throw notAvailable },
        Route(.get, "/.well-known/matrix/policy_server", access: .open) { _ in throw notAvailable },
    ]

    private static func client(_ context: APIContext) async throws -> APIResponse {
        let configuration = context.homeserver.configuration
        guard configuration.wellKnown.isClientServed else { throw notAvailable }
        // MSC2965.
        let service = context.homeserver.authenticationService
        let issuer = try await service?.authorizationMetadata()["issuer"]
        let account = try await service?.accountManagementURL()
        return .object { body in
            writeClient(configuration, to: &body)
            guard let issuer, let account else { return }
            body.member(
                "org.matrix.msc2965.authentication",
                object: { body in
                    body.member("issuer", issuer)
                    body.member("account", account)
                })
        }
    }

    /// What clients are told of, here and when they log in.
    static func writeClient(_ configuration: ServerConfiguration, to body: inout JSONWriter) {
        let options = configuration.wellKnown
        body.member("m.homeserver", object: { $0.member("base_url", configuration.publicBaseURL) })
        if let server = options.identityServer { body.member("m.identity_server", object: { $0.member("base_url", server) }) }
        for (key, value) in options.extraClientContent { body.member(key, value) }
    }

    private static func server(_ context: APIContext) async throws -> APIResponse {
        guard context.homeserver.configuration.wellKnown.isServerServed else { throw notAvailable }
        let name = context.homeserver.serverName
        return .object { $0.member("m.server", "\(name.host):\(name.port ?? 443)") }
    }

    private static var notAvailable: MatrixError { .notFound(".well-known not available") }
}
