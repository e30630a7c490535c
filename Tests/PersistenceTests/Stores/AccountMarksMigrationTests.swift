// Registration tokens and the ends of accounts in a database that was there before migration 28.

import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Migration of account marks")
struct AccountMarksMigrationTests {
    private static let older = Migrations.all.filter { $0.number < 28 }

    @Test("tokens that were there before are found, and who was told of an end is not told again", arguments: DatabaseKind.allCases)
    func existing(kind: DatabaseKind) async throws {
        try await withDatabaseConfiguration(kind, isEmpty: true) { configuration in
            let before = try await Databases.open(configuration, migrations: Self.older, logger: DatabaseFixture.logger)
            try await before.write { connection in
                let start = Timestamp(milliseconds: 1)
                for token in ["friends", "family"] {
                    try connection.execute(
                        "INSERT INTO registration_tokens (token, uses_allowed, pending, completed, expiry_ts) VALUES ($1, 5, 1, 2, NULL)",
                        [.text(token)])
                }
                for (name, end) in [("told", 1000), ("due", 2000), ("endless", nil)] as [(String, Int64?)] {
                    let user = UserID(trusted: "@\(name):test")
                    try connection.execute(
                        """
                        INSERT INTO users (user_id, folded_id, created_ts, is_admin, is_guest, deactivated, locked, suspended, expiration_ts)
                        VALUES ($1, $1, 1, false, false, false, false, false, $2)
                        """, [.text(user.string), .optional(end)])
                    let address = ThirdPartyRow(medium: "email", address: "\(name)@example.org", validated: start, added: start)
                    _ = try ThirdPartyStore.insert(address, of: user, on: connection)
                }
                try CommitReaderStore.setPosition(StreamPosition(1000), of: "account_expiry_notices", on: connection)
            }
            await before.close()

            let database = try await Databases.open(configuration, migrations: Migrations.all, logger: DatabaseFixture.logger)
            try await database.write { connection in
                #expect(try RegistrationTokenStore.token("friends", on: connection)?.completed == 2)
                #expect(try RegistrationTokenStore.token("friend", on: connection) == nil)
                #expect(try RegistrationTokenStore.reserve("family", at: .now, on: connection))
                #expect(try RegistrationTokenStore.tokens(on: connection).map(\.token) == ["family", "friends"])
                let untold = try AccountExpiryStore.untold(after: nil, until: .now, limit: 10, on: connection)
                #expect(untold == [AccountEnd(user: UserID(trusted: "@due:test"), end: Timestamp(milliseconds: 2000))])
                #expect(try CommitReaderStore.position(of: "account_expiry_notices", on: connection) == nil)
                let account = try AccountStore.account(UserID(trusted: "@due:test"), on: connection)
                #expect(account?.expiration == Timestamp(milliseconds: 2000) && account?.service == nil)
            }
            await database.close()
        }
    }
}
