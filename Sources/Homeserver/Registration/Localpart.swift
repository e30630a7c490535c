// Which names new accounts can have. Appendices §User Identifiers.

import MatrixCore

/// The grammar of the localparts that this server gives out.
package enum Localpart {
    /// The longest user id, in bytes.
    private static let userIDLimit = 255

    /// Checks a localpart for a new account of `server`.
    ///
    /// - Parameter allowsUnderscore: as the first character.
    /// - Throws: `M_INVALID_USERNAME` with what is wrong.
    package static func check(_ localpart: String, server: ServerName, allowsUnderscore: Bool = false) throws(MatrixError) {
        guard !localpart.isEmpty else { throw .invalidUsername("User ID cannot be empty") }
        guard UserID.isAllowed(localpart: localpart) else {
            throw .invalidUsername
        }
        guard allowsUnderscore || localpart.utf8.first != UInt8(ascii: "_") else { throw .invalidUsername("User ID may not begin with _") }
        guard localpart.utf8.count + server.string.utf8.count + 2 <= userIDLimit else {
            throw .invalidUsername("User ID may not be longer than \(userIDLimit) characters")
        }
        guard !localpart.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw .invalidUsername("Numeric user IDs are reserved for guest users.")
        }
    }
}
