// The bodies of PUT /room_keys/keys and its relatives, checked. Client-Server API §Server-side key backups.

import MatrixCore
import Persistence

/// The keys that a client adds to a backup in one call.
package struct KeyBackupUpload: Sendable {
    /// Each session once.
    package let sessions: [BackedUpSession]

    /// The largest `session_data` in bytes.
    package static let dataLimit = 65_536
    /// How many keys one request may bring: clients send some hundreds.
    package static let sessionLimit = 10_000
    /// The longest room ID or session ID in bytes.
    package static let nameLimit = 255

    /// Keys that are checked, each session once.
    package init(sessions: [BackedUpSession]) {
        self.sessions = sessions
    }

    /// - Parameter scope: what the path names; the body holds what is below.
    /// - Throws: `M_MISSING_PARAM`, `M_BAD_JSON`, `M_INVALID_PARAM`, `M_TOO_LARGE`.
    package init(_ body: JSON, scope: KeyBackupScope) throws(MatrixError) {
        // Of a session that is written twice, the last one counts.
        var found: [KeyBackupScope: BackedUpSession] = [:]
        switch scope {
        case .all:
            for (room, content) in try KeyBackupUpload.members("rooms", of: body) {
                for (session, key) in try KeyBackupUpload.members("sessions", of: content) {
                    found[.session(room: room, session: session)] = try KeyBackupUpload.key(key, room: room, session: session)
                }
            }
        case .room(let room):
            for (session, key) in try KeyBackupUpload.members("sessions", of: body) {
                found[.session(room: room, session: session)] = try KeyBackupUpload.key(key, room: room, session: session)
            }
        case .session(let room, let session):
            found[scope] = try KeyBackupUpload.key(body, room: room, session: session)
        }
        guard found.count <= KeyBackupUpload.sessionLimit else { throw .tooLarge("More than \(KeyBackupUpload.sessionLimit) keys") }
        sessions = found.values.sorted { ($0.room, $0.session) < ($1.room, $1.session) }
    }

    /// Checks the name of a room or session. What it names, the server need not know.
    package static func checkName(_ name: ByteString) throws(MatrixError) {
        guard !name.isEmpty, name.count <= nameLimit, !name.string.utf8.contains(0) else {
            throw .invalidParam("A room ID or session ID is empty, longer than \(nameLimit) bytes, or holds U+0000")
        }
    }

    // MARK: Steps

    private static func members(_ name: String, of object: JSON) throws(MatrixError) -> JSONMembers {
        guard let value = object[name] else { throw .missingParam("Missing \(name)") }
        guard value.isObject else { throw .badJSON("\(name) must be an object") }
        return value.members
    }

    private static func key(_ key: JSON, room: ByteString, session: ByteString) throws(MatrixError) -> BackedUpSession {
        try checkName(room)
        try checkName(session)
        guard let isVerified = try member("is_verified", of: key).bool else {
            throw .invalidParam("is_verified must be a boolean in keys for session \(session) in room \(room)")
        }
        let data = try member("session_data", of: key)
        // The specification has an object here; clients of old wrote a text.
        guard data.isObject || data.isString else { throw .badJSON("session_data must be an object") }
        guard data.byteRange.count <= dataLimit else { throw .tooLarge("session_data is longer than \(dataLimit) bytes") }
        return BackedUpSession(
            room: room, session: session, firstMessageIndex: try count("first_message_index", of: key),
            forwardedCount: try count("forwarded_count", of: key), isVerified: isVerified, data: data.canonicalBytes)
    }

    private static func count(_ name: String, of key: JSON) throws(MatrixError) -> Int64 {
        guard let value = try member(name, of: key).int, value >= 0 else { throw .badJSON("\(name) must be a whole number") }
        return value
    }

    private static func member(_ name: String, of key: JSON) throws(MatrixError) -> JSON {
        guard key.isObject else { throw .badJSON("A key must be an object") }
        guard let value = key[name] else { throw .missingParam("Missing \(name)") }
        return value
    }
}
