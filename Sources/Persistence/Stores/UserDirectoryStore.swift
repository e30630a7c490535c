// The user directory: tables `user_directory` and `user_directory_words` (migration 11). Client-Server API §User Directory.

import MatrixCore

/// What the directory shows of a user.
package struct UserDirectoryRow: Sendable, Hashable {
    package let user: UserID
    package let displayName: String?
    package let avatarURL: String?

    package init(user: UserID, displayName: String?, avatarURL: String?) {
        self.user = user
        self.displayName = displayName
        self.avatarURL = avatarURL
    }

    fileprivate init(_ row: SQLRow) {
        self.init(user: UserID(trusted: row.text(0)), displayName: row.optionalText(1), avatarURL: row.optionalText(2))
    }
}

/// Whom a search is to find.
package struct UserDirectoryQuery: Sendable {
    package let searcher: UserID
    /// Each must begin a word of the user's; lowercase, at least one.
    package var words: [String] = []
    /// What the part of the id behind the localpart begins with.
    package var serverPrefix: String?
    /// Everyone, not only those who share a room with the searcher or are in a public one.
    package var searchesAll = false
    package var showsLocked = false
    package var excludesRemote = false
    package var prefersLocal = false

    package init(searcher: UserID) { self.searcher = searcher }
}

/// Reads and writes the user directory.
package enum UserDirectoryStore {
    // MARK: Writing

    package static func set(_ row: UserDirectoryRow, words: Set<ByteString>, on connection: any SQLConnection) throws {
        try connection.enqueue(
            """
            INSERT INTO user_directory (user_id, display_name, avatar_url) VALUES ($1, $2, $3)
            ON CONFLICT (user_id) DO UPDATE SET display_name = excluded.display_name, avatar_url = excluded.avatar_url
            """, [.text(row.user.string), .optional(row.displayName), .optional(row.avatarURL)])
        try connection.enqueue(
            "DELETE FROM user_directory_words WHERE user_id = $1 AND {word NOT IN $2}",
            [.text(row.user.string), .texts(words.map(\.string))])
        for word in words.sorted() {
            try connection.enqueue(
                "INSERT INTO user_directory_words (user_id, word) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                [.text(row.user.string), .text(word.string)])
        }
    }

    package static func row(of user: UserID, on connection: any SQLConnection) throws -> UserDirectoryRow? {
        try connection.first(
            "SELECT user_id, display_name, avatar_url FROM user_directory WHERE user_id = $1", [.text(user.string)],
            UserDirectoryRow.init)
    }

    package static func delete(_ user: UserID, on connection: any SQLConnection) throws {
        try connection.enqueue("DELETE FROM user_directory WHERE user_id = $1", [.text(user.string)])
        try connection.enqueue("DELETE FROM user_directory_words WHERE user_id = $1", [.text(user.string)])
    }

    /// Local accounts in the order of their ids, from the one after `after` on.
    package static func accounts(after: String, limit: Int, on connection: any SQLConnection) throws -> [UserID] {
        try connection.rows(
            "SELECT user_id FROM users WHERE user_id > $1 ORDER BY user_id LIMIT $2", [.text(after), .int(limit)]
        ) { UserID(trusted: $0.text(0)) }
    }

    // MARK: Searching

    /// How many users that have the first word are looked at.
    private static let candidateLimit = 5000

    /// The users that a search finds, best first: by the number of words that are theirs as a whole, then those with a name and a picture.
    package static func search(_ query: UserDirectoryQuery, limit: Int, on connection: any SQLConnection) throws -> [UserDirectoryRow] {
        guard let first = query.words.first else { return [] }
        var parameters: [SQLValue] = [
            .text(query.searcher.string), .texts(query.words), .bool(query.searchesAll), .bool(query.showsLocked),
            .bool(query.excludesRemote), .bool(query.prefersLocal), .int(limit), .text(first), .text(first + lastScalar),
        ]
        var conditions: [String] = []
        for word in query.words.dropFirst() {
            parameters += [.text(word), .text(word + lastScalar)]
            conditions.append(
                """
                EXISTS (SELECT 1 FROM user_directory_words w WHERE w.user_id = d.user_id
                    AND w.word >= $\(parameters.count - 1) AND w.word < $\(parameters.count))
                """)
        }
        if let prefix = query.serverPrefix {
            parameters.append(.text("%:\(escaped(prefix))%"))
            conditions.append("d.user_id LIKE $\(parameters.count) ESCAPE '\\'")
        }
        let further = conditions.map { " AND " + $0 }.joined()
        return try connection.rows(SQL(base + further + order), parameters, UserDirectoryRow.init)
    }

    /// Behind every text that begins with the same word: the greatest scalar.
    private static let lastScalar = "\u{10FFFF}"

    private static func escaped(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.flatMap { "%_\\".unicodeScalars.contains($0) ? ["\\", $0] : [$0] }))
    }

    // $1 searcher, $2 words, $3 searches all, $4 shows locked, $5 excludes remote, $6 prefers local, $7 limit, $8 … $9 the first word.
    private static let base = """
        SELECT d.user_id, d.display_name, d.avatar_url
        FROM user_directory d LEFT JOIN users u ON u.user_id = d.user_id
        WHERE d.user_id IN (
                SELECT c.user_id FROM user_directory_words c WHERE c.word >= $8 AND c.word < $9 LIMIT \(candidateLimit))
            AND (u.user_id IS NOT NULL OR NOT $5)
            AND (u.user_id IS NULL OR NOT (u.deactivated OR u.is_guest))
            AND (u.user_id IS NULL OR $4 OR NOT u.locked)
            AND coalesce(u.user_type, '') <> 'support'
            AND (($3 AND d.user_id <> $1) OR (NOT $3 AND (
                EXISTS (SELECT 1 FROM joined_members p JOIN room_summaries s ON s.room_nid = p.room_nid
                    WHERE p.user_id = d.user_id AND s.is_public)
                OR (d.user_id <> $1 AND EXISTS (SELECT 1 FROM joined_members a
                    JOIN joined_members b ON b.room_nid = a.room_nid AND b.user_id = $1 WHERE a.user_id = d.user_id)))))
        """

    private static let order = """
         ORDER BY (SELECT count(*) FROM user_directory_words e WHERE e.user_id = d.user_id AND {e.word IN $2}) DESC,
            CASE WHEN $6 AND u.user_id IS NOT NULL THEN 0 ELSE 1 END, d.display_name IS NULL, d.avatar_url IS NULL, d.user_id
        LIMIT $7
        """
}
