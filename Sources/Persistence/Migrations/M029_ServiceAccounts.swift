// Migration 29: which application service registered an account.

extension Migration {
    /// Users of application services stay theirs when they log in on their own.
    package static let serviceAccounts = Migration(
        number: 29, name: "service accounts",
        statements: [
            // The service's id; NULL: a person, an administrator or a provider registered the account.
            "ALTER TABLE users ADD COLUMN appservice_id TEXT"
        ])
}
