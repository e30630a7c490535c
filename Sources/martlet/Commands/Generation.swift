// `--generate-config`.

import ArgumentParser
import MatrixCore
import ServerConfiguration

/// Writes a new configuration, its log configuration and its signing key. The configuration must not exist; a signing key or log
/// configuration that is there already is kept, as a lost key cannot be made again.
struct Generation {
    private let command: Run

    init(_ command: Run) { self.command = command }

    func run() throws {
        guard command.configPaths.count == 1, let given = command.configPaths.first else {
            throw ValidationError("--generate-config writes one file: give --config-path once.")
        }
        guard let name = command.serverName else { throw ValidationError("--generate-config needs --server-name, e.g. example.com.") }
        guard let reportStats = command.reportStats else {
            throw ValidationError("--generate-config needs --report-stats=yes or --report-stats=no.")
        }
        do { _ = try ServerName(parsing: name) } catch { throw ValidationError("\(name) is not a server name, e.g. example.com.") }

        let path = NewFile.absolute(given)
        let directory = NewFile.absolute(command.keysDirectory ?? ConfigurationReader.directory(of: path))
        var template = ConfigurationTemplate(
            serverName: name, configurationDirectory: directory, dataDirectory: NewFile.absolute(command.dataDirectory ?? "."),
            reportStats: reportStats == .yes, openPrivatePorts: command.openPrivatePorts)
        template.port = command.port
        guard !FileText.exists(path) else {
            throw failure(
                "\(path) exists already and is not overwritten. Remove it first, or make only what is missing with --generate-keys.")
        }
        do {
            for directory in [ConfigurationReader.directory(of: path), directory, template.dataDirectory] {
                try NewFile.makeDirectory(directory)
            }
            try make("configuration", path) { try NewFile.write(template.homeserverYAML, to: $0, mode: 0o640) }
            try make("log configuration", template.logConfigPath) { try NewFile.write(template.logYAML, to: $0, mode: 0o644) }
            try make("signing key", template.signingKeyPath) { try SigningKeyFile.create($0) }
        } catch let error as NewFile.Failure {
            throw failure("\(error)")
        }
        say("Look it over, then start the server: martlet --config-path \(path)")
    }

    private func make(_ what: String, _ path: String, _ create: (String) throws -> Void) throws {
        if FileText.exists(path) {
            say("Keeping the \(what) that is there: \(path)")
        } else {
            try create(path)
            say("Wrote the \(what): \(path)")
        }
    }
}
