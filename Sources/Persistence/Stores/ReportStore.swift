// What users report to the people who run the server: table `reports` (migration 5). Client-Server API §Reporting Content.

import MatrixCore

/// One report.
package struct ReportRow: Sendable, Equatable {
    /// What is reported.
    package enum Subject: Sendable, Equatable {
        case event(EventID, room: RoomID)
        case room(RoomID)
        case user(UserID)
    }

    package var subject: Subject
    package var reporter: UserID
    package var received: Timestamp
    package var reason: String?
    /// From -100 (most offensive) to 0, where the client says.
    package var score: Int64?
    /// The body of the request: a JSON object.
    package var content: [UInt8]

    package init(subject: Subject, reporter: UserID, received: Timestamp, reason: String?, score: Int64? = nil, content: [UInt8]) {
        self.subject = subject
        self.reporter = reporter
        self.received = received
        self.reason = reason
        self.score = score
        self.content = content
    }

    /// Columns as `ReportStore.reports` asks for them; nil for a row that reports nothing.
    fileprivate init?(_ row: SQLRow) {
        let room = row.optionalText(2).map { RoomID(trusted: $0) }
        if let room, let event = row.optionalText(3) {
            subject = .event(EventID(trusted: event), room: room)
        } else if let room {
            subject = .room(room)
        } else if let user = row.optionalText(4) {
            subject = .user(UserID(trusted: user))
        } else {
            return nil
        }
        received = Timestamp(milliseconds: row.int(0))
        reporter = UserID(trusted: row.text(1))
        reason = row.optionalText(5)
        score = row.optionalInt(6)
        content = row.blob(7)
    }
}

/// Writes and reads reports.
package enum ReportStore {
    package static func insert(_ report: ReportRow, on connection: any SQLConnection) throws {
        var room: RoomID?
        var event: EventID?
        var user: UserID?
        switch report.subject {
        case .event(let id, let inRoom): (event, room) = (id, inRoom)
        case .room(let id): room = id
        case .user(let id): user = id
        }
        try connection.enqueue(
            """
            INSERT INTO reports (received_ts, reporter, room_id, event_id, reported_user, reason, score, content)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            [
                .int(report.received.milliseconds), .text(report.reporter.string), .optional(room?.string), .optional(event?.string),
                .optional(user?.string), .optional(report.reason), .optional(report.score), .blob(report.content),
            ])
    }

    /// The newest reports, newest first.
    package static func newest(_ limit: Int, on connection: any SQLConnection) throws -> [ReportRow] {
        try connection.rows(
            """
            SELECT received_ts, reporter, room_id, event_id, reported_user, reason, score, content
            FROM reports ORDER BY report_nid DESC LIMIT $1
            """, [.int(Int64(limit))], ReportRow.init
        ).compactMap { $0 }
    }
}
