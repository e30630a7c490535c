// A YAML value with the place where it stands, so that whatever is wrong with it can be shown to the operator.

/// Where in the operator's files something stands.
package struct SourceLocation: Sendable, Hashable, CustomStringConvertible {
    package var file: String
    /// Counted from 1; 0 where there is no line to point at.
    package var line: Int

    package init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    package var description: String { line > 0 ? "\(file):\(line)" : file }
}

/// A value of YAML's core schema as PyYAML reads it (`yes` and `on` are booleans, a quoted scalar is always a string).
package struct ConfigNode: Sendable {
    package indirect enum Value: Sendable {
        case null
        case bool(Bool)
        case int(Int)
        case double(Double)
        case string(String)
        case list([ConfigNode])
        case map([Entry])
    }

    package struct Entry: Sendable {
        package var key: String
        package var keyLocation: SourceLocation
        package var node: ConfigNode
    }

    package var value: Value
    package var location: SourceLocation
    /// A scalar as it was written: `port: 05432` or a password of digits means its text.
    package var scalarText: String?

    package init(_ value: Value, at location: SourceLocation, scalarText: String? = nil) {
        self.value = value
        self.location = location
        self.scalarText = scalarText
    }

    package subscript(key: String) -> ConfigNode? {
        guard case .map(let entries) = value else { return nil }
        return entries.last { $0.key.utf8.elementsEqual(key.utf8) }?.node
    }

    package var entries: [Entry]? {
        guard case .map(let entries) = value else { return nil }
        return entries
    }

    package var isNull: Bool {
        if case .null = value { return true }
        return false
    }

    /// What stands here, in words for an error message. Text is shown, as it may be a secret, only by its kind.
    package var kindInWords: String {
        switch value {
        case .null: "nothing"
        case .bool(let value): "the boolean \(value)"
        case .int(let value): "the number \(value)"
        case .double(let value): "the number \(value)"
        case .string: "text"
        case .list: "a list"
        case .map: "a mapping"
        }
    }
}
