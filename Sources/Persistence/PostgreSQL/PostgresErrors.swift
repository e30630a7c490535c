// From libpq's reports to `DatabaseError`.

import CLibpq

extension DatabaseError {
    /// The error that a result reports. `sql` is the statement it answers.
    init(postgres result: OpaquePointer, sql: String?) {
        let state = Self.field(result, UInt8(ascii: "C")) ?? ""
        // Only the first line: the detail of a constraint repeats values.
        let message = Self.field(result, UInt8(ascii: "M")) ?? Self.trimmed(PQresultErrorMessage(result))
        let constraint = Self.field(result, UInt8(ascii: "n")) ?? Self.field(result, UInt8(ascii: "c"))
        self.init(Self.kind(state: state, constraint: constraint), message, code: state, sql: sql)
    }

    /// What the connection itself last complained about.
    init(_ kind: Kind, connection: OpaquePointer, sql: String? = nil) {
        self.init(kind, Self.trimmed(PQerrorMessage(connection)), sql: sql)
    }

    /// Whether the server ended the session with this answer.
    static func isFatal(_ result: OpaquePointer) -> Bool {
        let severity = field(result, UInt8(ascii: "V"))
        return severity == "FATAL" || severity == "PANIC"
    }

    private static func kind(state: String, constraint: String?) -> Kind {
        switch state {
        case "40001", "40P01": return .serialization
        case "53100": return .full
        case "25006": return .readOnly
        case "57014", "55P03": return .timeout
        case "22021", "22P05": return .invalidText
        case "53200", "53300", "57P01", "57P02", "57P03", "57P05": return .unavailable
        case "42501", "": return .other
        default: break
        }
        switch state.prefix(2) {
        case "23": return .constraint(name: constraint ?? "")
        case "08": return .unavailable
        case "42", "26": return .syntax
        default: return state == "22P03" ? .syntax : .other
        }
    }

    private static func field(_ result: OpaquePointer, _ code: UInt8) -> String? {
        PQresultErrorField(result, Int32(code)).map { String(cString: $0) }
    }

    private static func trimmed(_ text: UnsafePointer<CChar>?) -> String {
        guard let text else { return "" }
        var bytes = Array(String(cString: text).utf8)
        while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: " ") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
