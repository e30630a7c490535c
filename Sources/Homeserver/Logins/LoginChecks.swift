// What is wrong with the configured ways to log in and shows only when they are put together.

import ServerConfiguration

package enum LoginChecks {
    /// Keys that are none and templates that are not understood; empty where the server can start.
    package static func problems(_ configuration: LoginConfiguration) -> [String] {
        var problems: [String] = []
        func attempt(_ work: () throws -> Void) {
            do { try work() } catch { problems.append("\(error)") }
        }
        if let jwt = configuration.jwt { attempt { _ = try JWTLogin.key(of: jwt) } }
        for provider in configuration.openID {
            attempt { _ = try OpenIDCredentials(provider) }
            attempt { _ = try OpenIDMapping(provider.mapping) }
        }
        return problems
    }
}
