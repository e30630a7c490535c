// The tokens that let people register, as administrators manage them. Client-Server API §Token-authenticated registration.

import MatrixCore
import Persistence

package struct RegistrationTokens: Sendable {
    private let database: any Database

    /// Characters of a token.
    package static let lengthLimit = 64
    package static let defaultLength = 22
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-".utf8)

    package init(database: any Database) {
        self.database = database
    }

    /// Whether a text can be a token at all.
    package static func isWellFormed(_ token: String) -> Bool {
        (1...lengthLimit).contains(token.utf8.count) && token.utf8.allSatisfy(alphabet.contains)
    }

    /// Whether somebody could begin to register with a token.
    package func isValid(_ token: String) async throws -> Bool {
        try await self.token(token)?.isValid(at: .now) ?? false
    }

    package func token(_ token: String) async throws -> RegistrationTokenRow? {
        guard Self.isWellFormed(token) else { return nil }
        return try await database.read { try RegistrationTokenStore.token(token, on: $0) }
    }

    /// - Parameter isValid: only those that are, or are not; nil: all.
    package func tokens(isValid: Bool?) async throws -> [RegistrationTokenRow] {
        let (rows, now) = (try await database.read { try RegistrationTokenStore.tokens(on: $0) }, Timestamp.now)
        guard let isValid else { return rows }
        return rows.filter { $0.isValid(at: now) == isValid }
    }

    /// Makes a token.
    ///
    /// - Parameter text: nil makes one up, of `length` characters.
    /// - Throws: `M_INVALID_PARAM` where there is one already.
    package func create(
        _ text: String?, length: Int = defaultLength, usesAllowed: Int64?, expiry: Timestamp?
    ) async throws -> RegistrationTokenRow {
        let row = RegistrationTokenRow(token: text ?? Self.random(length), usesAllowed: usesAllowed, expiry: expiry)
        guard try await database.write({ try RegistrationTokenStore.insert(row, on: $0) }) else {
            throw MatrixError.invalidParam("Token already exists: \(row.token)")
        }
        return row
    }

    /// What is to be changed of a token; what is nil is left.
    package struct Change: Sendable {
        package var usesAllowed: Int64??
        package var expiry: Timestamp??

        package init() {}
    }

    /// - Returns: the token as it is then; nil where there is none.
    package func change(_ token: String, _ change: Change) async throws -> RegistrationTokenRow? {
        guard Self.isWellFormed(token) else { return nil }
        return try await database.write { connection in
            if let uses = change.usesAllowed { _ = try RegistrationTokenStore.setUsesAllowed(uses, of: token, on: connection) }
            if let expiry = change.expiry { _ = try RegistrationTokenStore.setExpiry(expiry, of: token, on: connection) }
            return try RegistrationTokenStore.token(token, on: connection)
        }
    }

    /// - Returns: whether there was such a token.
    package func delete(_ token: String) async throws -> Bool {
        guard Self.isWellFormed(token) else { return false }
        return try await database.write { try RegistrationTokenStore.delete(token, on: $0) }
    }

    private static func random(_ length: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return String(
            decoding: (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }, as: UTF8.self)
    }
}
