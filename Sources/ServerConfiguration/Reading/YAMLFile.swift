// YAML files to nodes. Only the parser of Yams is used: its resolver would compile regular expressions for every scalar.

import Yams

package enum YAMLFile {
    /// The file's value; null for an empty file.
    ///
    /// - Throws: `ConfigurationProblem` naming the file and, where the YAML is malformed, the line.
    package static func read(_ path: String) throws(ConfigurationProblem) -> ConfigNode {
        try parse(FileText.read(path), file: path)
    }

    package static func parse(_ text: String, file: String) throws(ConfigurationProblem) -> ConfigNode {
        do {
            let root = try Parser(yaml: text, resolver: .basic, constructor: .init([:]), encoding: .utf8).singleRoot()
            guard let root else { return ConfigNode(.null, at: SourceLocation(file: file, line: 1)) }
            return try convert(root, file: file, depth: 0)
        } catch let problem as ConfigurationProblem {
            throw problem
        } catch let error as YamlError {
            throw problem(error, file: file)
        } catch {
            throw ConfigurationProblem(at: SourceLocation(file: file, line: 0), "cannot be read as YAML: \(error)")
        }
    }

    private static func convert(_ node: Node, file: String, depth: Int) throws -> ConfigNode {
        let location = SourceLocation(file: file, line: node.mark?.line ?? 0)
        guard depth < 64 else { throw ConfigurationProblem(at: location, "the YAML is nested too deeply") }
        switch node {
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain || scalar.style == .any
            return ConfigNode(
                isPlain ? PlainScalar.value(of: scalar.string) : .string(scalar.string), at: location, scalarText: scalar.string)
        case .sequence(let sequence):
            return ConfigNode(.list(try sequence.map { try convert($0, file: file, depth: depth + 1) }), at: location)
        case .mapping(let mapping):
            var entries: [ConfigNode.Entry] = []
            for (key, value) in mapping {
                let keyLocation = SourceLocation(file: file, line: key.mark?.line ?? location.line)
                guard case .scalar(let scalar) = key else {
                    throw ConfigurationProblem(at: keyLocation, "a key must be a word, not a list or a mapping")
                }
                let node = try convert(value, file: file, depth: depth + 1)
                if scalar.string == "<<", let merged = node.entries {
                    entries.insert(contentsOf: merged, at: 0)
                } else {
                    entries.append(ConfigNode.Entry(key: scalar.string, keyLocation: keyLocation, node: node))
                }
            }
            return ConfigNode(.map(entries), at: location)
        case .alias:
            throw ConfigurationProblem(at: location, "an alias refers to nothing")
        }
    }

    private static func problem(_ error: YamlError, file: String) -> ConfigurationProblem {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            ConfigurationProblem(at: SourceLocation(file: file, line: mark.line), "this is not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            ConfigurationProblem(
                at: SourceLocation(file: file, line: context.mark.line),
                "an option is given more than once: \(duplicates.sorted().joined(separator: ", "))")
        case .reader(let problem, _, _, _):
            ConfigurationProblem(at: SourceLocation(file: file, line: 0), "this is not YAML: \(problem)")
        default:
            ConfigurationProblem(at: SourceLocation(file: file, line: 0), "cannot be read as YAML")
        }
    }
}

/// What a scalar without quotes means. YAML 1.1 as PyYAML reads it.
enum PlainScalar {
    static func value(of text: String) -> ConfigNode.Value {
        if let constant = constants[text] { return constant }
        if let int = int(text) { return .int(int) }
        if let double = double(text) { return .double(double) }
        return .string(text)
    }

    private static let constants: [String: ConfigNode.Value] = {
        var constants: [String: ConfigNode.Value] = ["": .null, "~": .null]
        for word in ["null", "Null", "NULL"] { constants[word] = .null }
        for word in ["true", "yes", "on"] { add(word, .bool(true)) }
        for word in ["false", "no", "off"] { add(word, .bool(false)) }
        func add(_ word: String, _ value: ConfigNode.Value) {
            constants[word] = value
            constants[word.uppercased()] = value
            constants[word.prefix(1).uppercased() + word.dropFirst()] = value
        }
        return constants
    }()

    private static func int(_ text: String) -> Int? {
        let negative = text.hasPrefix("-")
        let digits = (negative || text.hasPrefix("+") ? text.dropFirst() : Substring(text)).filter { $0 != "_" }
        guard let first = digits.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return nil }
        let magnitude: Int? =
            if digits.hasPrefix("0x") { Int(digits.dropFirst(2), radix: 16) } else if digits.hasPrefix("0o") {
                Int(digits.dropFirst(2), radix: 8)
            } else if digits.hasPrefix("0b") { Int(digits.dropFirst(2), radix: 2) } else if digits.count > 1, digits.hasPrefix("0") {
                Int(digits.dropFirst(), radix: 8)
            } else { Int(digits) }
        return magnitude.map { negative ? -$0 : $0 }
    }

    private static func double(_ text: String) -> Double? {
        guard text.utf8.allSatisfy({ isNumberByte($0) }), text.utf8.contains(UInt8(ascii: ".")) else { return nil }
        let digits = text.filter { $0 != "_" }
        guard digits.utf8.contains(where: { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Double(digits.hasPrefix(".") ? "0" + digits : digits.hasSuffix(".") ? digits + "0" : digits)
    }

    private static func isNumberByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }
}
