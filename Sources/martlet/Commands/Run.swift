// `martlet` without the name of a command: runs the server, or makes what it needs to run. The flags and their meaning are Synapse's.

import ArgumentParser
import MatrixCore
import ServerConfiguration

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs the server, or makes a new configuration; the word 'run' can be left out.",
        discussion: """
              martlet --server-name example.com --config-path homeserver.yaml --report-stats=no --generate-config
              martlet --config-path homeserver.yaml
            """)

    @Option(
        name: [.customShort("c"), .customLong("config-path")],
        help: ArgumentHelp(
            "A configuration file, or a folder whose *.yaml are read in order of name. Can be given again: later files override.",
            valueName: "file"))
    var configPaths: [String] = []

    @Flag(name: .long, help: "Make a configuration, its signing key and its log configuration, then exit.")
    var generateConfig = false

    @Flag(
        name: [.customLong("generate-keys"), .customLong("generate-missing-configs")],
        help: "Make the signing key and the log configuration that the configuration names, where they are missing, then exit.")
    var generateKeys = false

    @Flag(name: .long, help: "Make what is missing of these and run: what happens without any of these flags.")
    var generateMissingAndRun = false

    @Option(
        name: [.customShort("H"), .customLong("server-name")],
        help: ArgumentHelp("The server's name, for --generate-config: what ends every user's id.", valueName: "name"))
    var serverName: String?

    @Option(name: .long, help: ArgumentHelp("yes or no, for --generate-config.", valueName: "yes|no"))
    var reportStats: ReportStats?

    @Option(
        name: .long,
        help: ArgumentHelp("Where --generate-config puts the database and the media; by default the current folder.", valueName: "dir"))
    var dataDirectory: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where the signing key is when the configuration does not say; by default beside the last file.", valueName: "dir"))
    var keysDirectory: String?

    @Flag(name: .long, help: "For --generate-config: listen on all addresses, not just on this machine's own.")
    var openPrivatePorts = false

    @Option(name: .long, help: ArgumentHelp("For --generate-config: the port to listen on.", valueName: "port"))
    var port: Int = 8008

    func validate() throws {
        guard [generateConfig, generateKeys, generateMissingAndRun].filter({ $0 }).count <= 1 else {
            throw ValidationError("--generate-config, --generate-keys and --generate-missing-and-run exclude each other.")
        }
        guard (1...65_535).contains(port) else { throw ValidationError("--port must be a number from 1 to 65535.") }
    }

    func run() async throws {
        guard !configPaths.isEmpty else {
            throw ValidationError("Name a configuration with --config-path FILE; --help tells how to make one.")
        }
        if generateConfig { return try Generation(self).run() }
        let configuration = try LoadedConfiguration(configPaths, keysDirectory: keysDirectory)
        try configuration.generateMissing()
        if generateKeys { return }
        try await Running(configuration).run()
    }

    enum ReportStats: String, ExpressibleByArgument {
        case yes, no
    }
}
