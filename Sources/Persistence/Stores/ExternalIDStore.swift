// Who accounts belong to at providers of single sign-on: tables `user_external_ids` and `device_provider_sessions` (migration 24).

import MatrixCore

/// Reads and writes what ties accounts and devices to providers.
package enum ExternalIDStore {
    /// The account that belongs to somebody at a provider.
    package static func user(_ provider: String, _ externalID: String, on connection: any SQLConnection) throws -> UserID? {
        try connection.first(
            "SELECT user_id FROM user_external_ids WHERE auth_provider = $1 AND external_id = $2", [.text(provider), .text(externalID)]
        ) { UserID(trusted: $0.text(0)) }
    }

    /// Ties an account to somebody at a provider; false if somebody else's is tied already.
    package static func insert(
        _ provider: String, _ externalID: String, user: UserID, on connection: any SQLConnection
    ) throws -> Bool {
        let count = try connection.execute(
            """
            INSERT INTO user_external_ids (auth_provider, external_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
            """, [.text(provider), .text(externalID), .text(user.string)])
        return try count == 1 || self.user(provider, externalID, on: connection) == user
    }

    /// The providers that a user has come by, in the order of their names.
    package static func providers(of user: UserID, on connection: any SQLConnection) throws -> [String] {
        try connection.rows(
            "SELECT DISTINCT auth_provider FROM user_external_ids WHERE user_id = $1 ORDER BY auth_provider", [.text(user.string)]
        ) { $0.text(0) }
    }

    // MARK: Devices

    /// Notes by which session a device was logged in; the last one counts.
    package static func setSession(
        _ session: ProviderSession, of device: DeviceID, of user: UserID, on connection: any SQLConnection
    ) throws {
        guard let name = session.session else { return }
        try connection.enqueue(
            """
            INSERT INTO device_provider_sessions (user_id, device_id, auth_provider, auth_provider_session) VALUES ($1, $2, $3, $4)
            ON CONFLICT (user_id, device_id) DO UPDATE
            SET auth_provider = excluded.auth_provider, auth_provider_session = excluded.auth_provider_session
            """, [.text(user.string), .text(device.string), .text(session.provider), .text(name)])
    }

    /// The devices that were logged in by a session.
    package static func devices(
        of session: ProviderSession, on connection: any SQLConnection
    ) throws -> [(user: UserID, device: DeviceID)] {
        try connection.rows(
            """
            SELECT user_id, device_id FROM device_provider_sessions
            WHERE auth_provider = $1 AND auth_provider_session = $2 ORDER BY user_id, device_id
            """, [.text(session.provider), .optional(session.session)]
        ) { (UserID(trusted: $0.text(0)), DeviceID(trusted: $0.text(1))) }
    }

    package static func deleteSession(of device: DeviceID, of user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue(
            "DELETE FROM device_provider_sessions WHERE user_id = $1 AND device_id = $2", [.text(user.string), .text(device.string)])
    }
}
