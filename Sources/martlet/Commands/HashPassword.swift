// `martlet hash-password`: what stands in the database for a password. Synapse's `hash_password`.

import ArgumentParser
import Homeserver
import MatrixCore
import ServerConfiguration

struct HashPassword: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hash-password", abstract: "Prints the bcrypt hash of a password.",
        discussion: "The password is asked for, or read from a pipe, where -p does not give it.")

    @Option(
        name: [.customShort("p"), .long],
        help: "The password. Other users of this machine can see it while the program runs: better leave it out and be asked.")
    var password: String?

    @Option(
        name: [.customShort("c"), .customLong("config")],
        help: ArgumentHelp("The configuration, for its bcrypt_rounds and password_config.pepper.", valueName: "file"))
    var configPaths: [String] = []

    @Option(name: [.customShort("r"), .long], help: "How many rounds, 4 to 31; by default the configuration's, or 12.")
    var rounds: Int?

    func validate() throws {
        if let rounds, !(4...31).contains(rounds) { throw ValidationError("--rounds must be a number from 4 to 31.") }
    }

    func run() async throws {
        var rounds = 12, pepper = ""
        if !configPaths.isEmpty {
            let configuration = try LoadedConfiguration(configPaths, keysDirectory: nil).values
            (rounds, pepper) = (configuration.bcryptRounds, configuration.passwordPepper)
        }
        guard let password = password ?? Terminal.newPassword(), !password.isEmpty else {
            throw failure("no password given, or not twice the same")
        }
        do {
            say(try await PasswordHasher(rounds: self.rounds ?? rounds, pepper: pepper).hash(password))
        } catch {
            throw failure(error.message)
        }
    }
}
