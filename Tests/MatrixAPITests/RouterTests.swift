// Paths to endpoints, on the raw bytes.

import MatrixAPI
import Testing

@Suite struct RouterTests {
    private static func route(_ method: HTTPMethod, _ template: String) -> Route { Route(method, template) { _ in .empty } }

    private static let router = Router([
        route(.get, "/_matrix/client/v3/rooms/{roomId}/state"),
        route(.get, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}"),
        route(.get, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}"),
        route(.put, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}"),
        route(.get, "/_matrix/client/v3/pushrules/"),
        route(.get, "/_matrix/client/v3/profile/{userId}"),
        route(.get, "/_matrix/client/v3/profile/{userId}/displayname"),
        route(.get, "/_matrix/client/v3/things/special/{a}"),
        route(.post, "/_matrix/client/v3/things/{kind}/fixed"),
        Route.client(.post, "/join/{roomIdOrAlias}", legacy: true) { _ in .empty },
        route(.get, "/"),
    ])

    /// The template with the raw parameters, or the status.
    private func find(_ method: HTTPMethod, _ target: String) -> String {
        switch Self.router.match(method, target) {
        case .found(let endpoint, let parameters):
            let names = endpoint.template.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
            return ([endpoint.template] + names.map { "\($0)=\(parameters.raw($0, in: target) ?? "-")" }).joined(separator: " ")
        case .unknownMethod(let allowed): return "405 " + allowed.map(\.name).sorted().joined(separator: ",")
        case .unknownPath: return "404"
        }
    }

    @Test(
        "paths are matched raw, segment by segment",
        arguments: [
            ("/_matrix/client/v3/rooms/!a:b/state", "/_matrix/client/v3/rooms/{roomId}/state roomId=!a:b"),
            // An encoded slash stays inside its parameter, a real one does not.
            ("/_matrix/client/v3/rooms/!a%2Fb:c/state", "/_matrix/client/v3/rooms/{roomId}/state roomId=!a%2Fb:c"),
            ("/_matrix/client/v3/rooms/!a/b:c/state", "404"),
            // A parameter may be empty: the empty state key.
            (
                "/_matrix/client/v3/rooms/!a:b/state/m.room.name/",
                "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey} roomId=!a:b eventType=m.room.name stateKey="
            ),
            (
                "/_matrix/client/v3/rooms/!a:b/state/m.room.name",
                "/_matrix/client/v3/rooms/{roomId}/state/{eventType} roomId=!a:b eventType=m.room.name"
            ),
            ("/_matrix/client/v3/rooms//state", "/_matrix/client/v3/rooms/{roomId}/state roomId="),
            (
                "/_matrix/client/v3/rooms/!a:b/state/t/%40u%3As?x=/y/z",
                "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey} roomId=!a:b eventType=t stateKey=%40u%3As"
            ),
            // A trailing slash matters.
            ("/_matrix/client/v3/pushrules/", "/_matrix/client/v3/pushrules/"),
            ("/_matrix/client/v3/pushrules", "404"),
            ("/_matrix/client/v3/profile/@a:b/displayname/", "404"),
            // A literal is not decoded, and case matters.
            ("/_matrix/client/v3/profile/@a:b/display%6Eame", "404"),
            ("/_matrix/client/v3/Profile/@a:b", "404"),
            ("//_matrix/client/v3/pushrules/", "404"),
            ("/", "/"), ("/?x", "/"), ("", "404"), ("*", "404"), ("/_matrix", "404"), ("/_matrix/client/v3/rooms", "404"),
        ])
    func paths(target: String, expected: String) {
        #expect(find(.get, target) == expected)
    }

    @Test("a known path with another method is 405, with the methods that it has; HEAD goes where GET goes")
    func methods() {
        #expect(find(.delete, "/_matrix/client/v3/rooms/!a:b/state/t/k") == "405 GET,PUT")
        #expect(find(.head, "/_matrix/client/v3/pushrules/") == "/_matrix/client/v3/pushrules/")
        #expect(find(.get, "/_matrix/client/v3/join/x") == "405 POST")
        #expect(find(.other, "/nowhere") == "404")
    }

    @Test("where a literal leads nowhere, the parameter beside it is tried")
    func backtracking() {
        #expect(find(.get, "/_matrix/client/v3/things/special/x") == "/_matrix/client/v3/things/special/{a} a=x")
        #expect(find(.post, "/_matrix/client/v3/things/special/fixed") == "/_matrix/client/v3/things/{kind}/fixed kind=special")
        #expect(find(.post, "/_matrix/client/v3/things/other/fixed") == "/_matrix/client/v3/things/{kind}/fixed kind=other")
    }

    @Test("a client endpoint is served under the prefixes of Synapse", arguments: ["v3", "r0", "unstable", "api/v1"])
    func versions(prefix: String) {
        #expect(
            find(.post, "/_matrix/client/\(prefix)/join/%23a:b") == "/_matrix/client/\(prefix)/join/{roomIdOrAlias} roomIdOrAlias=%23a:b")
    }

    @Test("no two endpoints of the server claim the same path and method")
    func allRoutes() {
        _ = Router(Routes.all)
        #expect(Routes.all.count > 20)
    }
}
