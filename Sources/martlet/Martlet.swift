// The command line of the server. Flags and their meaning are Synapse's, so that scripts and units written for it go on working.

import ArgumentParser
import ServerConfiguration

@main
struct Martlet: AsyncParsableCommand {
    // Running is a command of its own, and the default one: options of the root would be taken from the commands after them.
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "A Matrix homeserver.",
        discussion: """
            Runs the server with the given configuration, or makes a new configuration:

              martlet --server-name example.com --config-path homeserver.yaml --report-stats=no --generate-config
              martlet --config-path homeserver.yaml

            'martlet run --help' lists the options.
            """,
        version: "Martlet \(Software.version)",
        subcommands: [Run.self, CheckConfig.self, HashPassword.self, GenerateSigningKey.self],
        defaultSubcommand: Run.self)
}
