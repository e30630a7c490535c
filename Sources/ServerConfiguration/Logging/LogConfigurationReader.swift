// Synapse's `log_config`: a configuration dictionary of Python's `logging.config`, of which levels and the place to write to are taken.

import Logging

package enum LogConfigurationReader {
    /// - Throws: `ConfigurationProblem` with the line.
    package static func read(_ path: String) throws(ConfigurationProblem) -> LogConfiguration {
        try interpret(YAMLFile.read(path))
    }

    package static func interpret(_ root: ConfigNode) throws(ConfigurationProblem) -> LogConfiguration {
        guard root.entries != nil else {
            throw ConfigurationProblem(at: root.location, "found \(root.kindInWords), expected a logging configuration")
        }
        var configuration = LogConfiguration()
        for entry in root["loggers"]?.entries ?? [] {
            if let node = entry.node["level"] { configuration.levels[entry.key] = try level(node, "loggers.\(entry.key).level") }
        }
        guard let rootLogger = root["root"] else { return configuration }
        if let node = rootLogger["level"] { configuration.level = try level(node, "root.level") }
        var output: LogConfiguration.Output?
        for name in rootLogger["handlers"]?.texts ?? [] {
            guard let found = try Self.output(ofHandler: name, root, depth: 0) else { continue }
            // A file goes before the console: it is what is kept.
            if case .file = found { output = found } else if output == nil { output = found }
        }
        configuration.output = output ?? configuration.output
        return configuration
    }

    /// Follows handlers that hand over to another one.
    private static func output(
        ofHandler name: String, _ root: ConfigNode, depth: Int
    ) throws(ConfigurationProblem) -> LogConfiguration.Output? {
        guard depth < 8, let handler = root["handlers"]?[name] else { return nil }
        if let target = handler["target"]?.textValue, handler["filename"] == nil {
            return try output(ofHandler: target, root, depth: depth + 1)
        }
        guard let node = handler["filename"] else {
            return .console(isOutput: handler["stream"]?.textValue?.hasSuffix("stdout") ?? false)
        }
        guard let path = node.textValue, !path.isEmpty else {
            throw ConfigurationProblem(at: node.location, option: "handlers.\(name).filename", "found \(node.kindInWords), expected a path")
        }
        return .file(path: path, rotation: rotation(handler))
    }

    private static func rotation(_ handler: ConfigNode) -> LogConfiguration.Rotation {
        let type = handler["class"]?.textValue ?? ""
        let keep = if case .int(let count)? = handler["backupCount"]?.value { max(count, 0) } else { 0 }
        if type.hasSuffix("TimedRotatingFileHandler") { return .daily(keep: keep) }
        if type.hasSuffix("RotatingFileHandler"), let bytes = handler["maxBytes"].flatMap(Units.bytes), bytes > 0 {
            return .size(bytes: bytes, keep: keep)
        }
        return .none
    }

    private static func level(_ node: ConfigNode, _ option: String) throws(ConfigurationProblem) -> Logger.Level {
        if case .int(let number) = node.value { return level(number) }
        guard let name = node.textValue, let level = names[name.uppercased()] else {
            throw ConfigurationProblem(
                at: node.location, option: option,
                "found \(node.textValue ?? node.kindInWords), expected DEBUG, INFO, WARNING, ERROR or CRITICAL")
        }
        return level
    }

    /// Python's numbers for levels.
    private static func level(_ number: Int) -> Logger.Level {
        switch number {
        case ..<11: .debug
        case ..<21: .info
        case ..<31: .warning
        case ..<41: .error
        default: .critical
        }
    }

    private static let names: [String: Logger.Level] = [
        "NOTSET": .trace, "TRACE": .trace, "DEBUG": .debug, "INFO": .info, "WARN": .warning, "WARNING": .warning, "ERROR": .error,
        "FATAL": .critical, "CRITICAL": .critical,
    ]
}
