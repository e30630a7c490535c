// `martlet check-config`.

import ArgumentParser
import Homeserver
import ServerConfiguration

struct CheckConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Tells what is wrong with a configuration, by file, line and option.",
        discussion: "Exits with 0 if the server would start with it, with 1 if not. Warnings are shown and do not count.")

    @Option(
        name: [.customShort("c"), .customLong("config-path")],
        help: ArgumentHelp("A configuration file or a folder of them. Can be given again: later files override.", valueName: "file"))
    var configPaths: [String]

    func run() throws {
        let result = ConfigurationReader.read(configPaths)
        for problem in result.problems { complain(Self.line(problem)) }
        if let warning = result.notBuiltWarning { complain("warning: \(warning)") }
        var failed = result.configuration == nil
        if let configuration = result.configuration {
            for problem in Self.check(configuration) {
                complain(Self.line(problem))
                failed = failed || problem.severity == .error
            }
            for problem in LoginChecks.problems(configuration.login) {
                complain("error: \(problem)")
                failed = true
            }
        }
        guard !failed else { throw ExitCode.failure }
        say("The configuration is good.")
    }

    static func line(_ problem: ConfigurationProblem) -> String {
        (problem.severity == .error ? "error: " : "warning: ") + problem.description
    }

    /// What stands in other files that the configuration names. Files that are made at the first start may be missing.
    static func check(_ configuration: ServerConfiguration) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if FileText.exists(configuration.signingKeyPath) {
            do { _ = try SigningKeyFile.read(configuration.signingKeyPath) } catch { problems.append(error) }
            if let warning = SigningKeyFile.permissionWarning(configuration.signingKeyPath) {
                problems.append(ConfigurationProblem(.warning, at: SourceLocation(file: configuration.signingKeyPath, line: 0), warning))
            }
        }
        if let path = configuration.logConfigPath, FileText.exists(path) {
            do { _ = try LogConfigurationReader.read(path) } catch { problems.append(error) }
        }
        return problems
    }
}
