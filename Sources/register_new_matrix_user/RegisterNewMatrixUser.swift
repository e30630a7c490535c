// Makes an account on a running server, by the secret that its configuration holds. Flags and questions are those of Synapse's script.

import ArgumentParser
import Glibc
import MatrixCore
import ServerConfiguration

@main
struct RegisterNewMatrixUser: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "register_new_matrix_user",
        abstract: "Makes an account on a homeserver, also where registration is closed.",
        discussion: "The server must run, with registration_shared_secret in its configuration. What is not given is asked for.",
        version: "Martlet \(Software.version)")

    @Option(name: [.customShort("u"), .long], help: "The new user's name, without @ and server; asked for if not given.")
    var user: String?

    @Flag(name: .long, help: "It is no error if the user exists already.")
    var existsOk = false

    @Option(
        name: [.customShort("p"), .long],
        help: "The password. Other users of this machine can see it while the program runs: better leave it out and be asked.")
    var password: String?

    @Option(name: .long, help: ArgumentHelp("A file that holds the password.", valueName: "file"))
    var passwordFile: String?

    @Option(name: [.customShort("t"), .customLong("user_type"), .customLong("user-type")], help: "support or bot.")
    var userType: String?

    @Flag(
        name: [.customShort("a"), .long], help: "Make an administrator of the server; asked for if neither this nor --no-admin is given.")
    var admin = false

    @Flag(name: .customLong("no-admin"), help: "Make an ordinary user.")
    var noAdmin = false

    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp("The server's configuration, for the secret and the address. Can be given again.", valueName: "file"))
    var config: [String] = []

    @Option(name: [.customShort("k"), .long], help: "The secret itself, instead of the configuration.")
    var sharedSecret: String?

    @Argument(help: "The server's address; by default a listener of the configuration, or http://localhost:8008.")
    var serverURL: String?

    func validate() throws {
        guard config.isEmpty != (sharedSecret == nil) else { throw ValidationError("Give either -c FILE or -k SECRET.") }
        guard !(admin && noAdmin) else { throw ValidationError("--admin and --no-admin exclude each other.") }
        guard password == nil || passwordFile == nil else { throw ValidationError("--password and --password-file exclude each other.") }
    }

    func run() async throws {
        do throws(RegistrationFailure) {
            let (secret, address) = try secretAndAddress()
            let user = try userName()
            let password = try newPassword()
            let account = NewAccount(name: user, password: password, isAdmin: isAdmin(), type: userType)
            let client = RegistrationClient(address: address, secret: secret)
            print("Sending registration request...")
            switch try await client.register(account) {
            case .made(let id): print("Success! \(id)")
            case .exists(let message):
                guard existsOk else { throw RegistrationFailure("\(message) (\(user))") }
                print("User already exists. Skipping.")
            }
        } catch {
            let bytes = Array("ERROR! \(error.message)\n".utf8)
            _ = write(STDERR_FILENO, bytes, bytes.count)
            throw ExitCode.failure
        }
    }

    // MARK: What is needed

    private func secretAndAddress() throws(RegistrationFailure) -> (secret: String, address: String) {
        if let sharedSecret { return (sharedSecret, serverURL ?? ServerAddress.fallback) }
        let result = ConfigurationReader.read(config)
        guard let configuration = result.configuration else {
            throw RegistrationFailure("The configuration cannot be used:\n" + result.errors.map { "  \($0)" }.joined(separator: "\n"))
        }
        guard let secret = configuration.registrationSharedSecret, !secret.isEmpty else {
            throw RegistrationFailure(
                "No registration_shared_secret or registration_shared_secret_path in \(config.joined(separator: ", ")). Add one and restart the server."
            )
        }
        return (secret, serverURL ?? ServerAddress.of(configuration) ?? ServerAddress.fallback)
    }

    private func userName() throws(RegistrationFailure) -> String {
        if let user { return user }
        let suggestion = Terminal.userName
        let answer = Terminal.ask("New user localpart\(suggestion.map { " [\($0)]" } ?? ""): ")
        guard let name = answer.flatMap({ $0.isEmpty ? suggestion : $0 }) else { throw RegistrationFailure("Invalid user name") }
        return name
    }

    private func newPassword() throws(RegistrationFailure) -> String {
        if let passwordFile {
            do throws(ConfigurationProblem) {
                let text = try FileText.read(passwordFile)
                let password = text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()
                guard !password.isEmpty else { throw ConfigurationProblem(at: SourceLocation(file: passwordFile, line: 0), "is empty") }
                return String(password)
            } catch {
                throw RegistrationFailure("The password file \(error)")
            }
        }
        guard let password = password ?? Terminal.newPassword() else { throw RegistrationFailure("Passwords do not match") }
        guard !password.isEmpty else { throw RegistrationFailure("Password cannot be blank.") }
        return password
    }

    private func isAdmin() -> Bool {
        if admin || noAdmin { return admin }
        return ["y", "yes", "true"].contains(Terminal.ask("Make admin [no]: ") ?? "")
    }
}

struct RegistrationFailure: Error {
    let message: String

    init(_ message: String) { self.message = message }
}
