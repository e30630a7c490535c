// Many rows as one parameter: a JSON text that the database takes apart.

import MatrixCore

extension SQLValue {
    /// The parameter of `SQLDialect.records`.
    ///
    /// - Parameters:
    ///   - size: about how many bytes the text will have.
    ///   - columns: writes the columns' values of a row, in their order.
    package static func records<Rows: Sequence>(
        _ rows: Rows, size: Int, _ columns: (inout JSONWriter, Rows.Element) -> Void
    ) -> SQLValue {
        var writer = JSONWriter(capacity: size)
        writer.array { writer in
            for row in rows { writer.array { columns(&$0, row) } }
        }
        return .text(String(decoding: writer.bytes, as: UTF8.self))
    }
}

extension SQLDialect {
    /// The type of a column of `records`. NULL is a value of each.
    package enum RecordColumn: String, Sendable {
        case text = "text"
        case int = "bigint"
    }

    /// A subquery whose rows are the elements of the JSON array bound as `$parameter`, each an array of the columns' values. So one
    /// statement writes as many rows as there are, NULLs among them. No value may hold U+0000.
    package func records(_ parameter: Int, _ columns: [(name: String, type: RecordColumn)]) -> String {
        let list = columns.enumerated().map { index, column in
            switch self {
            case .postgres: "(r.value->>\(index))::\(column.type.rawValue) AS \(column.name)"
            case .sqlite: "json_extract(r.value, '$[\(index)]') AS \(column.name)"
            }
        }
        let source =
            switch self {
            case .postgres: "json_array_elements($\(parameter)::text::json) AS r(value)"
            case .sqlite: "json_each($\(parameter)) AS r"
            }
        return "(SELECT \(list.joined(separator: ", ")) FROM \(source))"
    }
}
