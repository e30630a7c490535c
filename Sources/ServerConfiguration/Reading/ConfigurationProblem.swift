// What is wrong with a configuration, told so that it can be mended.

package struct ConfigurationProblem: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Severity: Sendable, Hashable {
        /// The server does not start.
        case error
        case warning
    }

    package var severity: Severity
    package var location: SourceLocation
    /// The option's path, e.g. `listeners[0].port`; nil where the file as a whole is at fault.
    package var option: String?
    package var message: String

    package init(_ severity: Severity = .error, at location: SourceLocation, option: String? = nil, _ message: String) {
        self.severity = severity
        self.location = location
        self.option = option
        self.message = message
    }

    /// `homeserver.yaml:12: listeners[0].port: found text, expected a port number`.
    package var description: String {
        "\(location): " + (option.map { "\($0): " } ?? "") + message
    }
}
