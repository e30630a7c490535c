// How long tokens live, as a value. Client-Server API §Refreshing access tokens.

import MatrixCore
import ServerConfiguration

/// The lifetimes of the configuration, and what follows from them for new tokens. Nil: no end.
package struct SessionLifetimes: Sendable {
    /// `session_lifetime`: from login to the next login, however often it is refreshed.
    package var session: Duration?
    /// `refreshable_access_token_lifetime`.
    package var refreshableAccessToken: Duration
    /// `nonrefreshable_access_token_lifetime`.
    package var nonrefreshableAccessToken: Duration?
    /// `refresh_token_lifetime`.
    package var refreshToken: Duration?
    /// `account_validity.enabled`: whether accounts end at their time.
    package var endsAccounts = false

    package init(
        session: Duration? = nil, refreshableAccessToken: Duration = .seconds(300), nonrefreshableAccessToken: Duration? = nil,
        refreshToken: Duration? = nil
    ) {
        self.session = session
        self.refreshableAccessToken = refreshableAccessToken
        self.nonrefreshableAccessToken = nonrefreshableAccessToken
        self.refreshToken = refreshToken
    }

    package init(_ configuration: ServerConfiguration) {
        self.init(
            session: configuration.sessionLifetime, refreshableAccessToken: configuration.refreshableAccessTokenLifetime,
            nonrefreshableAccessToken: configuration.nonrefreshableAccessTokenLifetime,
            refreshToken: configuration.refreshTokenLifetime)
        endsAccounts = configuration.accountValidity.isEnabled
    }

    /// When the tokens of one step of a session end.
    package struct Expiry: Sendable, Equatable {
        package var accessToken: Timestamp?
        package var refreshToken: Timestamp?
        /// The end of the session itself, which no refresh moves.
        package var session: Timestamp?

        package init(accessToken: Timestamp? = nil, refreshToken: Timestamp? = nil, session: Timestamp? = nil) {
            self.accessToken = accessToken
            self.refreshToken = refreshToken
            self.session = session
        }
    }

    /// For a login without refresh tokens.
    package func withoutRefresh(at now: Timestamp) -> Expiry {
        let session = now.adding(session)
        return Expiry(accessToken: earliest(now.adding(nonrefreshableAccessToken), session), session: session)
    }

    /// For a login with refresh tokens.
    package func withRefresh(at now: Timestamp) -> Expiry {
        refreshed(at: now, session: now.adding(session))
    }

    /// For a refresh in a session that ends at `session`.
    package func refreshed(at now: Timestamp, session: Timestamp?) -> Expiry {
        Expiry(
            accessToken: earliest(now.adding(refreshableAccessToken), session),
            refreshToken: earliest(now.adding(refreshToken), session), session: session)
    }

    private func earliest(_ first: Timestamp?, _ second: Timestamp?) -> Timestamp? {
        guard let first, let second else { return first ?? second }
        return min(first, second)
    }
}

extension Timestamp {
    fileprivate func adding(_ duration: Duration?) -> Timestamp? {
        guard let duration else { return nil }
        let (seconds, attoseconds) = duration.components
        return Timestamp(milliseconds: milliseconds + seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }
}
