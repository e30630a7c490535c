// Servers that do not answer: table `destinations` (migration 17).

import MatrixCore

/// How long a server has not answered, and until when it is left alone.
package struct DestinationRow: Sendable, Hashable {
    package let failedSince: Timestamp
    package let lastTry: Timestamp
    /// Milliseconds from the last try.
    package let retryInterval: Int64

    package init(failedSince: Timestamp, lastTry: Timestamp, retryInterval: Int64) {
        self.failedSince = failedSince
        self.lastTry = lastTry
        self.retryInterval = retryInterval
    }
}

/// Reads and writes what is known of servers that do not answer.
package enum DestinationStore {
    /// nil for a server that answers, or was never asked.
    package static func failure(of server: ServerName, on connection: any SQLConnection) throws -> DestinationRow? {
        try connection.first(
            "SELECT failure_ts, retry_last_ts, retry_interval FROM destinations WHERE server_name = $1 AND failure_ts IS NOT NULL",
            [.text(server.string)]
        ) { row in
            DestinationRow(
                failedSince: Timestamp(milliseconds: row.int(0)), lastTry: Timestamp(milliseconds: row.int(1)), retryInterval: row.int(2))
        }
    }

    /// - Parameter failure: nil for a server that answers again.
    package static func setFailure(
        _ failure: DestinationRow?, of server: ServerName, on connection: any SQLConnection
    ) throws {
        try connection.enqueue(
            """
            INSERT INTO destinations (server_name, failure_ts, retry_last_ts, retry_interval) VALUES ($1, $2, $3, $4)
            ON CONFLICT (server_name) DO UPDATE SET failure_ts = excluded.failure_ts, retry_last_ts = excluded.retry_last_ts,
                retry_interval = excluded.retry_interval
            """,
            [
                .text(server.string), .optional(failure?.failedSince.milliseconds), .int(failure?.lastTry.milliseconds ?? 0),
                .int(failure?.retryInterval ?? 0),
            ])
    }

    /// The servers that do not answer, and when each may be tried again, the first one first.
    package static func failing(limit: Int, on connection: any SQLConnection) throws -> [(server: ServerName, retryAt: Timestamp)] {
        try connection.rows(
            """
            SELECT server_name, retry_last_ts + retry_interval FROM destinations WHERE failure_ts IS NOT NULL
            ORDER BY retry_last_ts + retry_interval, server_name LIMIT $1
            """, [.int(limit)]
        ) { (ServerName(trusted: $0.text(0)), Timestamp(milliseconds: $0.int(1))) }
    }
}
