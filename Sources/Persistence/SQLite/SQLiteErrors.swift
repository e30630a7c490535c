// From SQLite's result codes to `DatabaseError`.

import CSQLite

extension DatabaseError {
    /// The error that a connection reports for the call that just failed.
    init(sqlite connection: OpaquePointer?, sql: String? = nil) {
        let code = connection.map { sqlite3_extended_errcode($0) } ?? SQLITE_NOMEM
        let message = connection.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) } ?? "out of memory"
        self.init(Self.kind(code: code, message: message), message, code: String(code), sql: sql)
    }

    private static func kind(code: Int32, message: String) -> Kind {
        // The low byte is the primary code. 4874 is SQLITE_IOERR_SHMSIZE: the shared index of the log cannot grow on a full disk.
        switch code & 0xFF {
        case SQLITE_FULL: return .full
        case SQLITE_IOERR where code == 4874: return .full
        case SQLITE_READONLY: return .readOnly
        case SQLITE_CONSTRAINT: return .constraint(name: constraintName(message))
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_CANTOPEN, SQLITE_PROTOCOL: return .unavailable
        case SQLITE_NOTADB: return .refused
        case SQLITE_INTERRUPT: return .timeout
        case SQLITE_ERROR, SQLITE_RANGE, SQLITE_MISUSE: return .syntax
        default: return .other
        }
    }

    /// "UNIQUE constraint failed: users.user_id" names the columns behind the colon.
    private static func constraintName(_ message: String) -> String {
        let marker = "constraint failed: "
        let bytes = Array(message.utf8)
        let wanted = Array(marker.utf8)
        guard bytes.count >= wanted.count else { return "" }
        for start in 0...(bytes.count - wanted.count) where bytes[start..<(start + wanted.count)].elementsEqual(wanted) {
            return String(decoding: bytes[(start + wanted.count)...], as: UTF8.self)
        }
        return ""
    }
}
