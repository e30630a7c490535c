// Tokens by which users prove to others who they are. Client-Server API §OpenID; Server-Server API §OpenID.

import MatrixCore
import Persistence

package struct OpenIDService: Sendable {
    package struct Token: Sendable {
        package let text: String
        package let lifetime: Duration
    }

    private let database: any Database
    private static let lifetime: Int64 = 3600

    package init(database: any Database) {
        self.database = database
    }

    package func makeToken(for user: UserID) async throws -> Token {
        var generator = SystemRandomNumberGenerator()
        let text = Base64.encode((0..<24).map { _ in UInt8.random(in: .min ... .max, using: &generator) }, .urlSafe)
        let now = Timestamp.now
        let hash = Self.hash(text)
        try await database.write { connection in
            try OpenIDStore.insert(
                hash: hash, user: user, expires: now.advanced(byMilliseconds: Self.lifetime * 1000), at: now, on: connection)
        }
        return Token(text: text, lifetime: .seconds(Self.lifetime))
    }

    /// Whose token it is.
    ///
    /// - Throws: `M_UNKNOWN_TOKEN`.
    package func user(of token: String) async throws -> UserID {
        let hash = Self.hash(token)
        guard let user = try await database.read({ try OpenIDStore.user(hash: hash, at: .now, on: $0) }) else {
            throw MatrixError(status: 401, errcode: "M_UNKNOWN_TOKEN", message: "Access Token unknown or expired")
        }
        return user
    }

    private static func hash(_ token: String) -> [UInt8] { SHA256Hash.hash(Array(token.utf8)) }
}
