// One row of a result, read by the index of its column.

import CLibpq
import CSQLite

/// A row, valid only inside the closure that got it.
///
/// Columns count from 0. A NULL read through an accessor that is not optional gives 0, "", no bytes or false. Integer
/// accessors read any integer column, and what `count` and `sum` over integers give.
package struct SQLRow {
    /// A `PGresult`, or a `sqlite3_stmt` that stands on the row.
    private let handle: OpaquePointer
    /// The row within the `PGresult`; −1 says that `handle` is SQLite's.
    private let row: Int32

    init(postgres result: OpaquePointer, row: Int32) {
        handle = result
        self.row = row
    }

    init(sqlite statement: OpaquePointer) {
        handle = statement
        row = -1
    }

    @inline(__always) private var isSQLite: Bool { row < 0 }

    package func isNull(_ column: Int) -> Bool {
        let column = Int32(column)
        return isSQLite ? sqlite3_column_type(handle, column) == SQLITE_NULL : PQgetisnull(handle, row, column) != 0
    }

    package func int(_ column: Int) -> Int64 {
        isSQLite ? sqlite3_column_int64(handle, Int32(column)) : PostgresBinary.int(field(column))
    }

    package func double(_ column: Int) -> Double {
        isSQLite ? sqlite3_column_double(handle, Int32(column)) : PostgresBinary.double(field(column))
    }

    package func bool(_ column: Int) -> Bool { int(column) != 0 }

    package func text(_ column: Int) -> String {
        withBytes(column) { String(decoding: $0, as: UTF8.self) }
    }

    package func blob(_ column: Int) -> [UInt8] {
        withBytes(column) { [UInt8]($0) }
    }

    /// A list made with `{LIST}` of integers.
    package func ints(_ column: Int) -> [Int64] {
        isSQLite ? SQLiteList.ints(blob(column)) : PostgresBinary.array(field(column).bytes).map { PostgresBinary.integer($0) }
    }

    /// A list made with `{LIST}` of texts.
    package func texts(_ column: Int) -> [String] {
        isSQLite
            ? SQLiteList.texts(blob(column))
            : PostgresBinary.array(field(column).bytes).map { String(decoding: $0, as: UTF8.self) }
    }

    package func optionalInt(_ column: Int) -> Int64? { isNull(column) ? nil : int(column) }
    package func optionalDouble(_ column: Int) -> Double? { isNull(column) ? nil : double(column) }
    package func optionalBool(_ column: Int) -> Bool? { isNull(column) ? nil : bool(column) }
    package func optionalText(_ column: Int) -> String? { isNull(column) ? nil : text(column) }
    package func optionalBlob(_ column: Int) -> [UInt8]? { isNull(column) ? nil : blob(column) }

    /// The bytes of a text or blob column where they lie: nothing is copied, and they are gone when `body` returns.
    package func withBytes<T>(_ column: Int, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        if isSQLite {
            // `sqlite3_column_blob` gives a text's bytes as they are; the length must be asked for after it.
            let start = sqlite3_column_blob(handle, Int32(column))
            return try body(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, Int32(column)))))
        }
        return try body(field(column).bytes)
    }

    private func field(_ column: Int) -> PostgresField {
        let column = Int32(column)
        guard let start = PQgetvalue(handle, row, column) else {
            return PostgresField(type: 0, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        }
        return PostgresField(
            type: PQftype(handle, column),
            bytes: UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(handle, row, column))))
    }
}
