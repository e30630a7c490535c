// A parameter of a statement.

/// A typed parameter. `ints` and `texts` are lists for `{column IN $1}`.
///
/// Text holds any Unicode but U+0000, which PostgreSQL cannot store: both databases refuse it with `.invalidText`.
package enum SQLValue: Sendable, Hashable {
    case null
    case int(Int64)
    case double(Double)
    case text(String)
    case blob([UInt8])
    case bool(Bool)
    case ints([Int64])
    case texts([String])

    package static func int(_ value: Int) -> SQLValue { .int(Int64(value)) }

    // `nil` becomes NULL.
    package static func optional(_ value: Int64?) -> SQLValue { value.map { .int($0) } ?? .null }
    package static func optional(_ value: Int?) -> SQLValue { value.map { .int(Int64($0)) } ?? .null }
    package static func optional(_ value: Double?) -> SQLValue { value.map { .double($0) } ?? .null }
    package static func optional(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
    package static func optional(_ value: [UInt8]?) -> SQLValue { value.map { .blob($0) } ?? .null }
    package static func optional(_ value: Bool?) -> SQLValue { value.map { .bool($0) } ?? .null }
}
