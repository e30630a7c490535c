// What the operator decides about how long messages are kept. MSC1763.

import Homeserver
import MatrixCore
import ServerConfiguration

enum RetentionRoutes {
    static let table: [Route] = [
        .client(.get, "/org.matrix.msc1763/retention/configuration", versions: ["unstable"], configuration)
    ]

    /// As with Synapse, there is no such endpoint where messages are kept for ever or the operator does not want it told.
    private static func configuration(_ context: APIContext) throws -> APIResponse {
        let retention = context.homeserver.configuration.retention
        guard retention.isEnabled, retention.isTold else { throw MatrixError.unrecognized }
        return .object { body in
            body.member(
                "policies",
                object: { policies in
                    let standard = retention.defaultPolicy
                    guard standard != RetentionPolicy() else { return }
                    policies.member("*", bounds: standard.minLifetime, standard.maxLifetime, named: "min_lifetime", "max_lifetime")
                })
            body.member(
                "limits",
                object: { limits in
                    let (least, most) = (retention.shortestAllowed?.milliseconds, retention.longestAllowed?.milliseconds)
                    guard least != nil || most != nil else { return }
                    limits.member("max_lifetime", bounds: least, most, named: "min", "max")
                })
        }
    }
}

extension JSONWriter {
    /// A member with the bounds that are there.
    fileprivate mutating func member(_ key: String, bounds least: Int64?, _ most: Int64?, named first: String, _ second: String) {
        member(
            key,
            object: { bounds in
                if let least { bounds.member(first, least) }
                if let most { bounds.member(second, most) }
            })
    }
}
