// One option of `homeserver.yaml`: its name, and how its value becomes a setting.

package struct ConfigurationOption: Sendable {
    /// What has been read so far, and what was found wrong on the way.
    package struct Reading: Sendable {
        package var configuration: ServerConfiguration
        package var problems: [ConfigurationProblem] = []
        /// Names of options that are known but that this server does not act on.
        package var notBuilt: [String] = []

        mutating func fail(_ node: ConfigNode, _ option: String, expected: String) {
            problems.append(ConfigurationProblem(at: node.location, option: option, "found \(node.kindInWords), expected \(expected)"))
        }

        mutating func fail(_ node: ConfigNode, _ option: String, because message: String) {
            problems.append(ConfigurationProblem(at: node.location, option: option, message))
        }

        mutating func warn(_ location: SourceLocation, _ option: String, _ message: String) {
            problems.append(ConfigurationProblem(.warning, at: location, option: option, message))
        }
    }

    typealias Read = @Sendable (ConfigNode, _ path: String, inout Reading) -> Void

    enum Support: Sendable {
        case built(Read)
        /// A mapping whose members are options of their own.
        case section([ConfigurationOption])
        /// Known to Synapse, not acted on here.
        case notBuilt
        /// Known, and rightly without effect: what it tunes does not exist here.
        case ignored
    }

    package let name: String
    let support: Support

    package var isBuilt: Bool {
        if case .notBuilt = support { return false }
        return true
    }

    // MARK: The kinds of options

    typealias Path<Value> = any WritableKeyPath<ServerConfiguration, Value> & Sendable

    static func notBuilt(_ name: String) -> Self { Self(name: name, support: .notBuilt) }
    static func ignored(_ name: String) -> Self { Self(name: name, support: .ignored) }
    static func section(_ name: String, _ options: [Self]) -> Self { Self(name: name, support: .section(options)) }
    static func custom(_ name: String, _ read: @escaping Read) -> Self { Self(name: name, support: .built(read)) }

    static func bool(_ name: String, _ path: Path<Bool>) -> Self {
        value(name, "true or false", { if case .bool(let value) = $0.value { value } else { nil } }, path)
    }

    static func string(_ name: String, _ path: Path<String>) -> Self { value(name, "text", \.textValue, path) }
    static func string(_ name: String, _ path: Path<String?>) -> Self { optional(name, "text", \.textValue, path) }

    static func int(_ name: String, _ path: Path<Int>, in range: ClosedRange<Int> = 0...Int.max) -> Self {
        let expected =
            range.upperBound == .max ? "a number from \(range.lowerBound) up" : "a number from \(range.lowerBound) to \(range.upperBound)"
        return value(name, expected, { if case .int(let value) = $0.value, range.contains(value) { value } else { nil } }, path)
    }

    static func size(_ name: String, _ path: Path<Int>) -> Self {
        value(name, "a size such as 50M (K, M, G or T, or bytes)", Units.bytes, path)
    }

    static let durationInWords = "a duration such as 5m (s, m, h, d, w or y, or milliseconds)"

    static func duration(_ name: String, _ path: Path<Duration>) -> Self { value(name, durationInWords, Units.duration, path) }
    static func duration(_ name: String, _ path: Path<Duration?>) -> Self { optional(name, durationInWords, Units.duration, path) }

    /// A token bucket: `{per_second: …, burst_count: …}`; what is missing keeps its default.
    static func rateLimit(_ name: String, _ path: Path<RateLimit>) -> Self {
        custom(name) { node, option, reading in
            if let limit = RateLimitReader.read(node, option, default: reading.configuration[keyPath: path], &reading) {
                reading.configuration[keyPath: path] = limit
            }
        }
    }

    /// Text, or the name of a file that holds it: `secret("x", path)` makes the options `x` and `x_path`.
    static func secret(_ name: String, _ path: Path<String?>) -> [Self] {
        let fileOption = custom(name + "_path") { node, option, reading in
            guard let file = node.textValue else { return reading.fail(node, option, expected: "the path of a file") }
            guard reading.configuration[keyPath: path] == nil else {
                return reading.fail(node, option, because: "\(name) and \(option) cannot both be given")
            }
            do throws(ConfigurationProblem) {
                reading.configuration[keyPath: path] = trimmed(try FileText.read(file))
            } catch {
                reading.fail(node, option, because: "\(file) \(error.message)")
            }
        }
        return [string(name, path), fileOption]
    }

    private static func value<Value>(
        _ name: String, _ expected: String, _ parse: @escaping @Sendable (ConfigNode) -> Value?, _ path: Path<Value>
    ) -> Self {
        custom(name) { node, option, reading in
            guard let value = parse(node) else { return reading.fail(node, option, expected: expected) }
            reading.configuration[keyPath: path] = value
        }
    }

    private static func optional<Value>(
        _ name: String, _ expected: String, _ parse: @escaping @Sendable (ConfigNode) -> Value?, _ path: Path<Value?>
    ) -> Self {
        custom(name) { node, option, reading in
            guard let value = parse(node) else { return reading.fail(node, option, expected: expected) }
            reading.configuration[keyPath: path] = value
        }
    }

    static func trimmed(_ text: String) -> String {
        var text = Substring(text)
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        return String(text)
    }
}

extension ConfigNode {
    /// The value where text is wanted. A number or a date that was written without quotes is taken as its text, as a name or a password may
    /// look like one; a boolean, a list and a mapping are mistakes.
    package var textValue: String? {
        switch value {
        case .string(let text): text
        case .int, .double: scalarText
        default: nil
        }
    }

    package var number: Double? {
        switch value {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    package var list: [ConfigNode]? {
        guard case .list(let nodes) = value else { return nil }
        return nodes
    }

    /// A list of texts; nil where any element is something else.
    package var texts: [String]? {
        guard let list else { return nil }
        let texts = list.compactMap(\.textValue)
        return texts.count == list.count ? texts : nil
    }
}

enum RateLimitReader {
    static func read(
        _ node: ConfigNode, _ option: String, default limit: RateLimit, _ reading: inout ConfigurationOption.Reading
    ) -> RateLimit? {
        guard let entries = node.entries else {
            reading.fail(node, option, expected: "a mapping with per_second and burst_count")
            return nil
        }
        var limit = limit
        for entry in entries {
            let path = "\(option).\(entry.key)"
            switch entry.key {
            case "per_second":
                guard let number = entry.node.number, number >= 0 else {
                    reading.fail(entry.node, path, expected: "a number from 0 up")
                    continue
                }
                limit.perSecond = number
            case "burst_count":
                guard let number = entry.node.number, number >= 0, number <= 1e15 else {
                    reading.fail(entry.node, path, expected: "a number from 0 up")
                    continue
                }
                limit.burst = Int(number)
            default:
                reading.warn(entry.keyLocation, path, "is not a known option; known are per_second and burst_count")
            }
        }
        return limit
    }
}
