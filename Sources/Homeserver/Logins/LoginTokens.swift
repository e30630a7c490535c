// Tokens that are good for one login. Client-Server API §Token-based login.

import MatrixCore
import Persistence
import ServerConfiguration

/// Makes login tokens and takes them back. Only their hashes are stored: they survive a restart, and a copy of the database opens nothing.
package struct LoginTokens: LoginMethod {
    private let database: any Database

    package init(database: any Database) {
        self.database = database
    }

    /// - Parameters:
    ///   - lifetime: how long the token can be used.
    ///   - provider: how the user has proved who they are.
    ///   - attributes: members that the answer of the login will have besides: a JSON object.
    package func make(
        for user: UserID, lifetime: Duration, provider: ProviderSession? = nil, attributes: [UInt8]? = nil
    ) async throws -> String {
        let token = SessionToken.generate(.login, for: user)
        let hash = TokenHash(token).bytes
        let now = Timestamp.now
        let row = LoginTokenRow(
            user: user, expiry: now.advanced(byMilliseconds: lifetime.milliseconds), provider: provider, attributes: attributes)
        try await database.write { try LoginTokenStore.insert(hash, row, at: now, on: $0) }
        return token
    }

    package let type = "m.login.token"

    package func identify(_ submission: JSON) async throws -> LoginIdentity {
        guard let member = submission["token"] else { throw MatrixError.missingParam("Missing JSON keys.") }
        guard let token = member.string else { throw MatrixError.invalidParam("Bad parameter: token") }
        let hash = TokenHash(token).bytes
        let row = try await database.write { try LoginTokenStore.take(hash, on: $0) }
        guard let row, row.expiry > .now else { throw MatrixError.forbidden("Invalid login token") }
        return LoginIdentity(user: row.user, provider: row.provider, attributes: row.attributes)
    }
}
