// How a user stands in the user directory. Client-Server API §User Directory.

import MatrixCore
import Persistence

/// A user with the words by which searches find them.
package struct UserDirectoryEntry: Sendable {
    let row: UserDirectoryRow
    let words: Set<ByteString>

    init(user: UserID, displayName: String?, avatarURL: String?) {
        row = UserDirectoryRow(
            user: user, displayName: displayName.map { Self.bounded($0) }, avatarURL: avatarURL.map { Self.bounded($0) })
        words = Set((SearchWords.index(user.localpart.string) + SearchWords.index(row.displayName ?? "")).map { ByteString($0) })
    }

    /// - Parameter member: the content of a member event.
    init(user: UserID, member: JSON?) {
        self.init(user: user, displayName: member?["displayname"]?.string, avatarURL: member?["avatar_url"]?.string)
    }

    func write(on connection: any SQLConnection) throws {
        guard try UserDirectoryStore.row(of: row.user, on: connection) != row else { return }
        try UserDirectoryStore.set(row, words: words, on: connection)
    }

    /// Brings the entry of a local user up to date with the profile, in the transaction that changes it.
    package static func refresh(_ user: UserID, on connection: any SQLConnection) throws {
        var texts: [ByteString: String] = [:]
        for (field, value) in try ProfileStore.profile(of: user, on: connection)
        where field == ProfileField.displayName || field == ProfileField.avatarURL {
            texts[field] = try JSONDocument(parsing: value).root.string
        }
        try UserDirectoryEntry(user: user, displayName: texts[ProfileField.displayName], avatarURL: texts[ProfileField.avatarURL])
            .write(on: connection)
    }

    /// What other servers say may be of any length.
    private static func bounded(_ text: String) -> String {
        let text = storable(text)
        guard text.utf8.count > byteLimit else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(byteLimit / 4)))
    }

    private static let byteLimit = 1024
}

/// The words of names and of what people type to find them.
package enum SearchWords {
    /// The words of one text are at most this many, and so long in scalars.
    private static let countLimit = 32
    private static let lengthLimit = 64

    /// The words under which a text is found: its runs of letters and digits, and where it has such scripts as are written without spaces,
    /// what begins at each of their characters.
    package static func index(_ text: String) -> [String] {
        var words: [String] = []
        for run in runs(of: text) {
            words.append(string(run))
            for start in run.indices.dropFirst() where run[start].isOfUnspacedScript { words.append(string(run[start...])) }
            if words.count >= countLimit { break }
        }
        return Array(words.prefix(countLimit))
    }

    /// The words that are searched for.
    package static func query(_ text: String) -> [String] { runs(of: text).prefix(queryLimit).map { string($0) } }

    private static let queryLimit = 10

    /// In form KC and in lower case, so that what looks alike is alike.
    private static func runs(of text: String) -> [ArraySlice<Unicode.Scalar>] {
        let scalars = Array(SearchText.normalized(text).unicodeScalars.prefix(1024))
        return scalars.split { !isWordScalar($0) }
    }

    private static func string(_ run: ArraySlice<Unicode.Scalar>) -> String {
        String(String.UnicodeScalarView(run.prefix(lengthLimit)))
    }

    private static func isWordScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber, .letterNumber,
            .otherNumber, .nonspacingMark, .spacingMark, .enclosingMark, .otherSymbol:
            true
        default: false
        }
    }
}
