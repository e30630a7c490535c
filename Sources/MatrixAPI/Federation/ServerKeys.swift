// What other servers ask first: who we are and with which keys we sign. Server-Server API §Retrieving server keys, §Server implementation.

import Federation
import Homeserver
import MatrixCore
import ServerConfiguration

enum FederationRoutes {
    static let table: [Route] = [
        Route(.get, "/_matrix/federation/v1/version", access: .open) { _ in
            .object { body in
                body.member(
                    "server",
                    object: { server in
                        server.member("name", "Martlet")
                        server.member("version", Software.version)
                    })
            }
        },
        // The key id that older servers append has no meaning any more: the answer is the same.
        Route(
            .get, templates: ["/_matrix/key/v2/server", "/_matrix/key/v2/server/{keyId}"], access: .open
        ) { context in
            .json(bytes: try context.homeserver.publishedKeys.document())
        },
    ]
}
