// Files that are made once, and the signing key's.

import Glibc
import MatrixCore
import ServerConfiguration
import Testing

@Suite struct FileTests {
    private func temporary() -> String { "/tmp/martlet-file-\(UInt64.random(in: 0...UInt64.max))" }

    @Test("a signing key is made for its owner only, is not overwritten, and can be read again")
    func signingKey() throws {
        let path = temporary()
        defer { unlink(path) }
        try SigningKeyFile.create(path)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(SigningKeyFile.permissionWarning(path) == nil)
        let text = try FileText.read(path)
        #expect(try SigningKeyFile.read(path).map { $0.fileLine + "\n" } == [text])
        #expect(throws: NewFile.Failure.self) { try SigningKeyFile.create(path) }
        #expect(try FileText.read(path) == text)
        chmod(path, 0o644)
        #expect(SigningKeyFile.permissionWarning(path)?.contains("chmod 600") == true)
    }

    @Test(
        "a file without a key is an error with its line",
        arguments: [("", 0), ("\n\nrsa a_x y", 3), ("ed25519 a_x", 1), ("ed25519 a_x short", 1)])
    func wrongKeys(text: String, line: Int) throws {
        let path = temporary()
        defer { unlink(path) }
        try NewFile.write(text, to: path, mode: 0o600)
        let problem = #expect(throws: ConfigurationProblem.self) { _ = try SigningKeyFile.read(path) }
        #expect(problem?.location == SourceLocation(file: path, line: line))
    }

    @Test("a folder's files are read in order of name, and a secret from a file loses its line break")
    func folder() throws {
        let folder = temporary()
        try NewFile.makeDirectory(folder)
        let files = [
            ("10.yaml", minimalText + "\nbcrypt_rounds: 4\nreport_stats: false"),
            ("20.yaml", "bcrypt_rounds: 5\nform_secret_path: \(folder)/secret"),
            ("ignored.yml", "bcrypt_rounds: many"), ("secret", " hunter2\n"),
        ]
        for (name, text) in files { try NewFile.write(text, to: "\(folder)/\(name)", mode: 0o600) }
        defer {
            for (name, _) in files { unlink("\(folder)/\(name)") }
            rmdir(folder)
        }
        let result = ConfigurationReader.read([folder])
        let configuration = try #require(result.configuration, "\(result.problems)")
        #expect(configuration.bcryptRounds == 5 && configuration.formSecret == "hunter2")
        #expect(configuration.signingKeyPath == "\(folder)/example.com.signing.key")
    }

    @Test("a file that cannot be read is named")
    func missing() {
        let result = ConfigurationReader.read(["/nowhere/homeserver.yaml"])
        #expect(result.configuration == nil)
        #expect(result.errors.map(\.description) == ["/nowhere/homeserver.yaml: cannot be read: No such file or directory"])
    }
}
