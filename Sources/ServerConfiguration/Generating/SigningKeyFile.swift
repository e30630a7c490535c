// The file of the signing keys, in Synapse's format: a line `ed25519 a_AbCd <unpadded base64 seed>` for each.

import Glibc
import MatrixCore

package enum SigningKeyFile {
    /// The keys of the file; the first signs events.
    package static func read(_ path: String) throws(ConfigurationProblem) -> [SigningKey] {
        var keys: [SigningKey] = []
        let lines = try FileText.read(path).split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.contains(where: { !$0.isWhitespace }) {
            do {
                keys.append(try SigningKey(fileLine: String(line)))
            } catch {
                throw ConfigurationProblem(
                    at: SourceLocation(file: path, line: index + 1), option: "signing_key_path",
                    "is not a signing key (\(error)), expected a line: ed25519 a_AbCd SEED_IN_BASE64")
            }
        }
        guard !keys.isEmpty else {
            throw ConfigurationProblem(
                at: SourceLocation(file: path, line: 0), option: "signing_key_path",
                "holds no key; `martlet generate-signing-key` makes one")
        }
        return keys
    }

    /// Makes the file with a new key, for its owner only.
    package static func create(_ path: String) throws(NewFile.Failure) {
        try NewFile.write(SigningKey.generate().fileLine + "\n", to: path, mode: 0o600)
    }

    /// What is wrong with who may read the file; nil where nothing is.
    package static func permissionWarning(_ path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & 0o077 != 0 else { return nil }
        let mode = String(status.st_mode & 0o777, radix: 8)
        return "\(path) can be read by others (mode \(mode)): who reads it can speak in this server's name; chmod 600 \(path)"
    }
}
