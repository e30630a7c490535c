// Every endpoint of the specification has a route, or stands in a table with the reason why not.

import MatrixAPI
import Testing

@Suite struct EndpointCoverageTests {
    /// What of the specification is not served, by the first part of the paths: below the version, or whole where it begins with a slash.
    private static let omissions: [(reason: String, paths: [String])] = [
        ("pushes to devices are not built", ["pushers"]),
        ("application services are not built", ["appservice/"]),
        ("previews of pages are not built", ["media/preview_url", "/_matrix/media/v3/preview_url"]),
    ]

    private static let router = Router(Routes.all)

    private static func isServed(_ endpoint: (method: String, path: String)) -> Bool {
        let method = HTTPMethod(name: endpoint.method)
        let path = endpoint.path.split(separator: "/", omittingEmptySubsequences: false).map { $0.hasPrefix("{") ? "x" : String($0) }
            .joined(separator: "/")
        if case .found = router.match(method, path) { return true }
        return false
    }

    /// Whether a path begins so; `account/3pid` names `/_matrix/client/v3/account/3pid/add`.
    private static func isNamed(by prefix: String, _ path: String) -> Bool {
        if prefix.hasPrefix("/") { return path.hasPrefix(prefix) }
        return path.split(separator: "/").dropFirst(3).joined(separator: "/").hasPrefix(prefix)
    }

    @Test func everyEndpointHasARouteOrAReason() {
        let excused = Self.omissions.flatMap(\.paths)
        let missing = SpecificationEndpoints.clientServer.filter { endpoint in
            !Self.isServed(endpoint) && !excused.contains { Self.isNamed(by: $0, endpoint.path) }
        }
        #expect(missing.map { "\($0.method) \($0.path)" } == [])
    }

    @Test func noOmissionIsServedAfterAll() {
        for omission in Self.omissions {
            for prefix in omission.paths {
                let served = SpecificationEndpoints.clientServer.filter {
                    Self.isNamed(by: prefix, $0.path) && Self.isServed($0)
                }
                #expect(served.isEmpty, "\(prefix) is listed as omitted (\(omission.reason))")
            }
        }
    }
}
