// Migration 29: which application service registered an account, and of which terms its owner was told.

extension Migration {
    /// Users of application services stay theirs when they log in on their own; nobody is told of the same terms twice.
    package static let servicesAndNotices = Migration(
        number: 29, name: "services and notices",
        statements: [
            // The service's id; NULL: a person, an administrator or a provider registered the account.
            "ALTER TABLE users ADD COLUMN appservice_id TEXT",
            // The version of the terms; NULL: of none.
            "ALTER TABLE users ADD COLUMN consent_server_notice_sent TEXT",
        ])
}
