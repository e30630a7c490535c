// Every endpoint of the specification has a route, or stands in a table with the reason why not.

import MatrixAPI
import Testing

@Suite struct EndpointCoverageTests {
    /// Modules of the specification that are not served, by the first part of their paths below the version.
    private static let omissions: [(reason: String, paths: [String])] = [
        (
            "third-party identifiers: needs e-mail and an identity server",
            ["account/3pid", "account/password/email", "account/password/msisdn", "register/email", "register/msisdn"]
        )
    ]

    private static let router = Router(Routes.all)

    private static func isServed(_ endpoint: (method: String, path: String)) -> Bool {
        let method = HTTPMethod(name: endpoint.method)
        let path = endpoint.path.split(separator: "/", omittingEmptySubsequences: false).map { $0.hasPrefix("{") ? "x" : String($0) }
            .joined(separator: "/")
        if case .found = router.match(method, path) { return true }
        return false
    }

    /// `account/3pid` of `/_matrix/client/v3/account/3pid`.
    private static func belowVersion(_ path: String) -> String {
        guard path.hasPrefix("/_matrix/") else { return path }
        return path.split(separator: "/").dropFirst(3).joined(separator: "/")
    }

    @Test func everyEndpointHasARouteOrAReason() {
        let excused = Self.omissions.flatMap(\.paths)
        let missing = SpecificationEndpoints.clientServer.filter { endpoint in
            !Self.isServed(endpoint) && !excused.contains { Self.belowVersion(endpoint.path).hasPrefix($0) }
        }
        #expect(missing.map { "\($0.method) \($0.path)" } == [])
    }

    @Test func noOmissionIsServedAfterAll() {
        for omission in Self.omissions {
            for prefix in omission.paths {
                let served = SpecificationEndpoints.clientServer.filter {
                    Self.belowVersion($0.path).hasPrefix(prefix) && Self.isServed($0)
                }
                #expect(served.isEmpty, "\(prefix) is listed as omitted (\(omission.reason))")
            }
        }
    }
}
