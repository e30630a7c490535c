// What is logged, and where to.

import Logging

/// What Synapse's logging configuration says, as far as it has a meaning here.
package struct LogConfiguration: Sendable, Equatable {
    package enum Rotation: Sendable, Equatable {
        case none
        /// At midnight; so many old files are kept, named by their date.
        case daily(keep: Int)
        /// When the file would grow over so many bytes; so many old files are kept, numbered from 1.
        case size(bytes: Int, keep: Int)
    }

    package enum Output: Sendable, Equatable {
        /// Standard error, or standard output.
        case console(isOutput: Bool)
        case file(path: String, rotation: Rotation)
    }

    package var level: Logger.Level
    /// Levels of loggers by their name or the beginning of it up to a dot.
    package var levels: [String: Logger.Level]
    package var output: Output

    package init(level: Logger.Level = .info, levels: [String: Logger.Level] = [:], output: Output = .console(isOutput: false)) {
        self.level = level
        self.levels = levels
        self.output = output
    }

    /// The level of a logger: that of the longest name it begins with. Our loggers answer to Synapse's name for the whole
    /// (`synapse`) as well as to `martlet`.
    package func level(of label: String) -> Logger.Level {
        var best: (length: Int, level: Logger.Level)?
        for (name, level) in levels {
            guard Self.names(label).contains(where: { $0 == name || $0.hasPrefix(name + ".") }) else { continue }
            if name.utf8.count > best?.length ?? -1 { best = (name.utf8.count, level) }
        }
        return best?.level ?? level
    }

    private static func names(_ label: String) -> [String] {
        label.hasPrefix("martlet") ? [label, "synapse" + label.dropFirst("martlet".count)] : [label]
    }
}
