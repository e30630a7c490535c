// Password hashes as Synapse writes them: bcrypt (`$2b$`) over the NFKC form of the password and the pepper.

import CShims
import Glibc
import MatrixCore
import Synchronization

/// Hashes and checks passwords on a few threads of its own: a hash takes about 0.2 s of CPU time, which would
/// stall everything else on the threads that Swift shares.
package final class PasswordHasher: Sendable {
    /// The longest password accepted, in characters, as in Synapse.
    package static let lengthLimit = 512
    /// How many hashes may wait before further ones are refused.
    private static let waitingLimit = 256
    /// bcrypt reads no more of its input.
    private static let bcryptByteLimit = 72

    private let rounds: Int
    private let pepper: [UInt8]
    private let threads: BlockingThreads
    /// The cost of the dearest hash that was met, in rounds: what a refusal comes to, whosever it is.
    private let dearest: Atomic<Int>

    /// Dearer hashes are not made up for: they would take seconds.
    private static let highestCost = 15

    /// - Parameters:
    ///   - rounds: the binary logarithm of the number of iterations, 4 to 31.
    ///   - pepper: added to every password (`password_config.pepper`).
    package init(rounds: Int, pepper: String) {
        self.rounds = min(31, max(4, rounds))
        dearest = Atomic(self.rounds)
        self.pepper = Array(pepper.utf8)
        let count = max(1, min(8, sysconf(Int32(_SC_NPROCESSORS_ONLN)) / 2))
        threads = BlockingThreads(label: "martlet.bcrypt", count: count, limit: Self.waitingLimit)
    }

    /// Whether a password can be hashed at all: not too long, and without NUL, which would end it early.
    package static func isAcceptable(_ password: String) -> Bool {
        password.unicodeScalars.count <= lengthLimit && !password.utf8.contains(0)
    }

    /// A salted hash of `password`.
    ///
    /// - Throws: `M_LIMIT_EXCEEDED` while too many others wait; `M_INVALID_PARAM` for a password that cannot be hashed.
    package func hash(_ password: String) async throws(MatrixError) -> String {
        guard Self.isAcceptable(password) else { throw .invalidParam("Invalid password") }
        let setting = Self.setting(rounds: rounds, salt: Self.randomSalt())
        guard let hash = try await crypt(password, setting: setting) else {
            throw .unknown("The password could not be hashed", status: 500)
        }
        return hash
    }

    /// Whether `password` is the one of `hash`. Without a hash the same work is done in vain, and where it is a cheaper one than others, more
    /// work: the time of a refusal does not tell which accounts exist.
    ///
    /// - Throws: `M_LIMIT_EXCEEDED` while too many others wait.
    package func verify(_ password: String, against hash: String?) async throws(MatrixError) -> Bool {
        let isAcceptable = Self.isAcceptable(password)
        let phrase = phrase(isAcceptable ? password : "")
        let dearest = noteCost(of: hash)
        let isRight = await threads.run { Self.verify(phrase, against: hash, refusingAt: dearest) }
        guard let isRight else { throw Self.busy }
        return isAcceptable && isRight
    }

    /// Compares in a time that does not depend on where the two differ.
    package static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && martlet_equal_constant_time(left, right, left.count)
    }

    // MARK: Steps

    private static let busy = MatrixError.limitExceeded(retryAfterMs: 2000)

    private func crypt(_ password: String, setting: String) async throws(MatrixError) -> String? {
        let phrase = phrase(password)
        let hash = await threads.run { Self.crypt(phrase, setting: setting) }
        guard let hash else { throw Self.busy }
        return hash
    }

    /// What bcrypt is given.
    private func phrase(_ password: String) -> ArraySlice<UInt8> {
        (Array(PasswordNormalization.nfkc(password).utf8) + pepper).prefix(Self.bcryptByteLimit)
    }

    /// - Parameter dearest: the cost to which a refusal comes, in rounds.
    private static func verify(_ phrase: ArraySlice<UInt8>, against hash: String?, refusingAt dearest: Int) -> Bool {
        var spent: Int?
        if let hash, let computed = crypt(phrase, setting: hash) {
            if isEqual(Array(hash.utf8), Array(computed.utf8)) { return true }
            spent = cost(of: hash)
        }
        for rounds in costsOfRefusal(spent: spent, dearest: dearest) {
            _ = crypt(phrase, setting: setting(rounds: rounds, salt: Array(repeating: 0, count: 16)))
        }
        return false
    }

    /// The costs of the hashes still to be computed in vain, so that a refusal is as much work as the dearest hash. Each round doubles the
    /// work: a hash of some cost, and one of that and of each further cost below the dearest, come to the dearest.
    ///
    /// - Parameters:
    ///   - spent: the cost of the hash that was computed, in rounds; none for an account without a hash that can be read.
    ///   - dearest: the cost to which a refusal comes, in rounds.
    package static func costsOfRefusal(spent: Int?, dearest: Int) -> [Int] {
        spent.map { Array($0..<max($0, dearest)) } ?? [dearest]
    }

    /// The binary logarithm of a hash's iterations: 12 of `$2b$12$…`.
    private static func cost(of hash: String) -> Int? {
        let parts = hash.split(separator: "$", maxSplits: 2)
        return parts.count == 3 ? Int(parts[1]) : nil
    }

    /// Takes note of a hash that is dearer than those before, from a time when `bcrypt_rounds` was more.
    ///
    /// - Returns: the cost of the dearest.
    package func noteCost(of hash: String?) -> Int {
        guard let cost = hash.flatMap(Self.cost), cost <= Self.highestCost else { return dearest.load(ordering: .relaxed) }
        return dearest.max(cost, ordering: .relaxed).newValue
    }

    private static func crypt(_ phrase: ArraySlice<UInt8>, setting: String) -> String? {
        let terminated = phrase.map { CChar(bitPattern: $0) } + [0]
        var output = [CChar](repeating: 0, count: Int(MARTLET_CRYPT_OUTPUT_SIZE))
        guard martlet_crypt(terminated, setting, &output, output.count) else { return nil }
        return String(decoding: output.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func randomSalt() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// `$2b$<rounds>$` and the salt in bcrypt's own base 64.
    private static func setting(rounds: Int, salt: [UInt8]) -> String {
        let alphabet = Array("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var encoded: [UInt8] = []
        var bits = 0
        var bitCount = 0
        for byte in salt {
            bits = bits << 8 | Int(byte)
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                encoded.append(alphabet[bits >> bitCount & 63])
            }
        }
        if bitCount > 0 { encoded.append(alphabet[bits << (6 - bitCount) & 63]) }
        return "$2b$\(rounds < 10 ? "0" : "")\(rounds)$\(String(decoding: encoded, as: UTF8.self))"
    }
}
