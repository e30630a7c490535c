// What users report to the people who run the server. Client-Server API §Reporting Content.

import MatrixCore
import Persistence
import Rooms

/// Keeps reports of events, rooms and users.
package struct ReportService: Sendable {
    private let database: any Database
    private let rooms: RoomRegistry
    private let history: RoomHistory
    private let accounts: AccountService
    private let rateLimits: RateLimiter

    /// The longest reason, in characters.
    private static let reasonLimit = 1000

    package init(
        database: any Database, rooms: RoomRegistry, history: RoomHistory, accounts: AccountService, rateLimits: RateLimiter
    ) {
        self.database = database
        self.rooms = rooms
        self.history = history
        self.accounts = accounts
        self.rateLimits = rateLimits
    }

    /// - Parameter score: from -100 (most offensive) to 0.
    /// - Throws: `M_NOT_FOUND` for an event that the reporter does not see, `M_LIMIT_EXCEEDED`, `M_BAD_JSON`.
    package func report(
        _ event: EventID, in room: RoomID, by reporter: UserID, reason: String?, score: Int64?, content: [UInt8]
    ) async throws {
        try check(reason, by: reporter)
        do {
            _ = try await history.event(event, in: try await history.view(of: room, for: reporter))
        } catch let error as MatrixError where error.status == 403 || error.status == 404 {
            throw MatrixError.notFound("Unable to report event: it does not exist or you aren't able to see it.")
        }
        try await keep(.event(event, room: room), by: reporter, reason: reason, score: score, content: content)
    }

    /// - Throws: `M_NOT_FOUND` for an unknown room, `M_LIMIT_EXCEEDED`, `M_BAD_JSON`.
    package func report(_ room: RoomID, by reporter: UserID, reason: String, content: [UInt8]) async throws {
        try check(reason, by: reporter)
        guard try await rooms.room(room) != nil else { throw MatrixError.notFound("Room does not exist") }
        try await keep(.room(room), by: reporter, reason: reason, content: content)
    }

    /// Users of other servers, and those who do not exist, are passed over in silence: a report is no way to find out who is here.
    ///
    /// - Throws: `M_LIMIT_EXCEEDED`, `M_BAD_JSON`.
    package func report(_ user: UserID, by reporter: UserID, reason: String, content: [UInt8]) async throws {
        try check(reason, by: reporter)
        guard try await accounts.exists(user) else { return }
        try await keep(.user(user), by: reporter, reason: reason, content: content)
    }

    private func check(_ reason: String?, by reporter: UserID) throws(MatrixError) {
        try rateLimits.check(.reports, of: reporter.text)
        guard let reason else { return }
        guard reason.unicodeScalars.count <= Self.reasonLimit else {
            throw .badJSON("Reason must be less than \(Self.reasonLimit) characters")
        }
        guard !reason.utf8.contains(0) else { throw .badJSON("Reason must not contain U+0000") }
    }

    private func keep(
        _ subject: ReportRow.Subject, by reporter: UserID, reason: String?, score: Int64? = nil, content: [UInt8]
    ) async throws {
        let row = ReportRow(subject: subject, reporter: reporter, received: .now, reason: reason, score: score, content: content)
        try await database.write { try ReportStore.insert(row, on: $0) }
    }
}
