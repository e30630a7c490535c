// The members of a mapping that is no section of its own in the table of options: an element of a list, or what depends on other members.

/// Reads members by name, remembers what was wrong, and in the end warns of names that nobody asked for.
struct MappingReader {
    private let node: ConfigNode
    let option: String
    private let entries: [ConfigNode.Entry]
    private var known: Set<String> = []
    private var problems: [ConfigurationProblem] = []
    private var notBuilt: [String] = []

    /// Nil, with the problem noted, where the value is no mapping.
    init?(_ node: ConfigNode, _ option: String, expected: String, _ reading: inout ConfigurationOption.Reading) {
        guard let entries = node.entries else {
            reading.fail(node, option, expected: expected)
            return nil
        }
        (self.node, self.option, self.entries) = (node, option, entries)
    }

    /// A mapping inside another, whose problems that one takes over by `adopt`.
    init(within node: ConfigNode, _ option: String) {
        (self.node, self.option, self.entries) = (node, option, node.entries ?? [])
        if node.entries == nil { fail(because: "found \(node.kindInWords), expected a mapping") }
    }

    /// The value of a member; nil where there is none.
    mutating func node(_ name: String) -> ConfigNode? {
        known.insert(name)
        guard let value = node[name], !value.isNull else { return nil }
        return value
    }

    mutating func string(_ name: String) -> String? {
        guard let value = node(name) else { return nil }
        guard let text = value.textValue else {
            fail(value, name, expected: "text")
            return nil
        }
        return text
    }

    mutating func bool(_ name: String) -> Bool? {
        guard let value = node(name) else { return nil }
        guard case .bool(let flag) = value.value else {
            fail(value, name, expected: "true or false")
            return nil
        }
        return flag
    }

    mutating func duration(_ name: String) -> Duration? {
        guard let value = node(name) else { return nil }
        guard let duration = Units.duration(value) else {
            fail(value, name, expected: ConfigurationOption.durationInWords)
            return nil
        }
        return duration
    }

    mutating func strings(_ name: String) -> [String]? {
        guard let value = node(name) else { return nil }
        guard let texts = value.texts else {
            fail(value, name, expected: "a list of texts")
            return nil
        }
        return texts
    }

    /// The elements of a list.
    mutating func nodes(_ name: String, expected: String) -> [ConfigNode]? {
        guard let value = node(name) else { return nil }
        guard let list = value.list else {
            fail(value, name, expected: expected)
            return nil
        }
        return list
    }

    /// A mapping from names to texts.
    mutating func texts(_ name: String) -> [(name: String, text: String)] {
        guard let value = node(name) else { return [] }
        guard let entries = value.entries else {
            fail(value, name, expected: "a mapping of texts")
            return []
        }
        return entries.compactMap { entry in
            guard let text = entry.node.textValue else {
                fail(entry.node, "\(name).\(entry.key)", expected: "text")
                return nil
            }
            return (entry.key, text)
        }
    }

    /// One of a few words.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(_ name: String, as type: Choice.Type) -> Choice?
    where Choice.RawValue == String {
        guard let value = node(name) else { return nil }
        guard let choice = value.textValue.flatMap({ Choice(rawValue: $0) }) else {
            let found = value.textValue ?? value.kindInWords
            fail(value, name, because: "found \(found), expected one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
            return nil
        }
        return choice
    }

    /// Text, in the file or (`NAME_path`) in one of its own.
    mutating func secret(_ name: String) -> String? {
        let text = string(name)
        guard let file = string(name + "_path"), let node = node(name + "_path") else { return text }
        guard text == nil else {
            fail(node, name + "_path", because: "\(name) and \(name)_path cannot both be given")
            return nil
        }
        do throws(ConfigurationProblem) {
            return ConfigurationOption.trimmed(try FileText.read(file))
        } catch {
            fail(node, name + "_path", because: "\(file) \(error.message)")
            return nil
        }
    }

    mutating func requiredString(_ name: String) -> String? {
        guard node(name) != nil else {
            missing(name, "text")
            return nil
        }
        return string(name)
    }

    // MARK: Problems

    mutating func missing(_ name: String, _ expected: String) {
        fail(node, name, because: "is required: found nothing, expected \(expected)")
    }

    mutating func fail(_ node: ConfigNode, _ name: String, expected: String) {
        fail(node, name, because: "found \(node.kindInWords), expected \(expected)")
    }

    mutating func fail(_ node: ConfigNode, _ name: String, because message: String) {
        problems.append(ConfigurationProblem(at: node.location, option: "\(option).\(name)", message))
    }

    /// The mapping itself is at fault.
    mutating func fail(because message: String) {
        problems.append(ConfigurationProblem(at: node.location, option: option, message))
    }

    /// A member is known, and has no effect here.
    mutating func notBuilt(_ name: String) { notBuilt.append("\(option).\(name)") }

    /// Takes over what was wrong with a mapping inside this one.
    mutating func adopt(_ inner: MappingReader) {
        problems += inner.problems + inner.warnings
        notBuilt += inner.notBuilt
    }

    /// Hands over what was wrong.
    ///
    /// - Returns: whether nothing was that stops the start.
    func finish(_ reading: inout ConfigurationOption.Reading) -> Bool {
        reading.problems += problems + warnings
        reading.notBuilt += notBuilt
        return !problems.contains { $0.severity == .error }
    }

    private var warnings: [ConfigurationProblem] {
        entries.filter { !known.contains($0.key) }.map { entry in
            let nearest = NearestName.nearest(to: entry.key, among: known)
            return ConfigurationProblem(
                .warning, at: entry.keyLocation, option: "\(option).\(entry.key)",
                "is not a known option" + (nearest.map { "; did you mean \($0)?" } ?? ""))
        }
    }
}
