// `martlet generate-signing-key`: Synapse's `generate_signing_key`.

import ArgumentParser
import MatrixCore
import ServerConfiguration

struct GenerateSigningKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate-signing-key", abstract: "Makes a new signing key, in the format of Synapse's key files.")

    @Option(
        name: [.customShort("o"), .customLong("output_file"), .customLong("output-file")],
        help: ArgumentHelp("Where to write it, for the owner's eyes only; it must not exist. By default it is printed.", valueName: "file"))
    var outputFile: String?

    func run() throws {
        guard let outputFile, outputFile != "-" else { return say(SigningKey.generate().fileLine) }
        do { try SigningKeyFile.create(outputFile) } catch { throw failure("\(error)") }
    }
}
