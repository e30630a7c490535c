// A configuration that is read, with its warnings; what is wrong with it ends the program.

import ArgumentParser
import Logging
import ServerConfiguration

struct LoadedConfiguration {
    let values: ServerConfiguration
    let warnings: [String]

    /// - Throws: `ExitCode` after all errors have been printed.
    init(_ paths: [String], keysDirectory: String?) throws {
        let result = ConfigurationReader.read(paths, keysDirectory: keysDirectory)
        guard let configuration = result.configuration else {
            for problem in result.problems { complain(CheckConfig.line(problem)) }
            throw failure("the configuration cannot be used")
        }
        values = configuration
        warnings = result.warnings.map(\.description) + [result.notBuiltWarning].compactMap { $0 }
    }

    /// Makes the signing key and the log configuration where they are missing, as Synapse does at its first start.
    func generateMissing() throws {
        do throws(NewFile.Failure) {
            if !FileText.exists(values.signingKeyPath) {
                try SigningKeyFile.create(values.signingKeyPath)
                complain("martlet: made a new signing key: \(values.signingKeyPath)")
            }
            if let path = values.logConfigPath, !FileText.exists(path) {
                let log = NewFile.absolute("homeserver.log")
                try NewFile.write(ConfigurationTemplate.logYAML(logPath: log), to: path, mode: 0o644)
                complain("martlet: made a log configuration: \(path)")
            }
        } catch {
            throw failure("\(error)")
        }
    }

    /// Makes all loggers write where `log_config` says.
    func startLogging() throws -> LogSink {
        do throws(ConfigurationProblem) {
            var log = LogConfiguration()
            if let path = values.logConfigPath { log = try LogConfigurationReader.read(path) }
            let sink = try LogSink(log.output)
            log.install(on: sink)
            return sink
        } catch {
            throw failure("log_config: \(error)")
        }
    }
}
