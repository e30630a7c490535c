// Migration 11: the user directory.

extension Migration {
    /// The names by which people are found.
    package static let userDirectory = Migration(number: 11, name: "user directory") { _ in
        [
            // Every account of this server, and the users of others that are or were in our rooms.
            """
            CREATE TABLE user_directory (
                user_id TEXT NOT NULL PRIMARY KEY,
                display_name TEXT,
                avatar_url TEXT
            )
            """,

            // The lowercase words of a user's display name and localpart.
            """
            CREATE TABLE user_directory_words (
                user_id TEXT NOT NULL,
                word TEXT NOT NULL,
                PRIMARY KEY (user_id, word)
            )
            """,
            "CREATE INDEX user_directory_words_word ON user_directory_words (word, user_id)",
        ]
    }
}
