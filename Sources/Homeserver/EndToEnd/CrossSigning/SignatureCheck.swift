// Which of the signatures that a user uploads are right, as a value. Client-Server API §Cross-signing.

import MatrixCore
import Persistence

/// What the signatures of one request are checked against: the keys as they are stored.
package struct SignatureCheck: Sendable {
    /// Who uploads.
    package let user: UserID
    /// The user's own cross-signing keys.
    package let own: [CrossSigningUsage: CrossSigningKey]
    /// The identity keys of the user's devices, as stored.
    package let devices: [ByteString: JSON]
    /// The master keys of other users.
    package let masters: [UserID: CrossSigningKey]
    /// The signatures of other users' keys that are known.
    package let known: Set<UserSignature>

    package init(
        user: UserID, own: [CrossSigningUsage: CrossSigningKey], devices: [ByteString: JSON], masters: [UserID: CrossSigningKey],
        known: Set<UserSignature>
    ) {
        self.user = user
        self.own = own
        self.devices = devices
        self.masters = masters
        self.known = known
    }

    /// The signatures that are new and right, and what is wrong with the others.
    package struct Outcome: Sendable {
        /// Of the user's devices by the self-signing key, by device.
        package var devices: [ByteString: (keyID: ByteString, signature: String)] = [:]
        /// Of the user's master key by devices.
        package var master: [(keyID: ByteString, signature: String)] = []
        /// Of other users' master keys by the user-signing key.
        package var others: [UserSignature] = []
        package var failures: [RefusedSignature] = []

        package var isEmpty: Bool { devices.isEmpty && master.isEmpty && others.isEmpty }
    }

    package func outcome(of upload: SignatureUpload) -> Outcome {
        var outcome = Outcome()
        for (name, items) in upload.users {
            let target = try? UserID(parsing: name.string)
            for item in items {
                do throws(MatrixError) {
                    guard let target else { throw .invalidParam("\(name) is not a user ID") }
                    if target != user {
                        try checkOther(item, of: target, &outcome)
                    } else if item.name == own[.master]?.publicKey {
                        try checkMaster(item, &outcome)
                    } else {
                        try checkDevice(item, &outcome)
                    }
                } catch {
                    outcome.failures.append(RefusedSignature(user: name, key: item.name, error: error))
                }
            }
        }
        return outcome
    }

    // MARK: Own keys

    /// A device is signed by the self-signing key.
    private func checkDevice(_ item: SignatureUpload.Item, _ outcome: inout Outcome) throws(MatrixError) {
        guard let signer = own[.selfSigning] else { throw missing(.selfSigning) }
        let signature = try signature(of: item.object, by: signer.keyID)
        guard let device = devices[item.name] else { throw .notFound("Unknown device") }
        if device["signatures"]?[user.text]?[signer.keyID] != nil { return }
        try checkSame(item.object, device)
        guard signer.signed(item.object, as: user) else { throw SignatureCheck.wrongSignature }
        outcome.devices[item.name] = (signer.keyID, signature)
    }

    /// The master key is signed by devices. Signatures that are known are passed over, also of devices that are gone.
    private func checkMaster(_ item: SignatureUpload.Item, _ outcome: inout Outcome) throws(MatrixError) {
        guard let master = own[.master] else { throw missing(.master) }
        guard let signatures = item.object["signatures"]?[user.text], signatures.isObject, signatures.count > 0 else {
            throw SignatureCheck.wrongSignature
        }
        try checkSame(item.object, master.content)
        let stored = master.content["signatures"]?[user.text]
        var new: [ByteString: String] = [:]
        for (keyID, signature) in signatures.members {
            guard let signature = signature.string else { throw SignatureCheck.wrongSignature }
            if let known = stored?[keyID], known.isString(signature) { continue }
            guard let key = devices[KeyID(trusted: keyID.string).name]?["keys"]?[keyID]?.string.flatMap({ VerifyKey(base64: $0) }) else {
                throw SignatureCheck.wrongSignature
            }
            do { try JSONSigning.verify(item.object, signedBy: user.text, keyID: keyID, key: key) } catch {
                throw SignatureCheck.wrongSignature
            }
            new[keyID] = signature
        }
        outcome.master += new.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    // MARK: Other users' keys

    /// The master key of another user is signed by the user-signing key.
    private func checkOther(_ item: SignatureUpload.Item, of target: UserID, _ outcome: inout Outcome) throws(MatrixError) {
        guard let signer = own[.userSigning] else { throw missing(.userSigning) }
        guard let master = masters[target] else { throw .notFound("No master key found for \(target)") }
        guard item.name == master.publicKey else { throw .notFound("Unknown device") }
        let signature = try signature(of: item.object, by: signer.keyID)
        let entry = UserSignature(user: target, publicKey: master.publicKey, keyID: signer.keyID, signature: signature)
        if known.contains(entry) { return }
        try checkSame(item.object, master.content)
        guard signer.signed(item.object, as: user) else { throw SignatureCheck.wrongSignature }
        outcome.others.append(entry)
    }

    // MARK: Steps

    private func signature(of object: JSON, by keyID: ByteString) throws(MatrixError) -> String {
        guard let signature = object["signatures"]?[user.text]?[keyID]?.string else { throw SignatureCheck.wrongSignature }
        return signature
    }

    /// What is signed must be what the server has.
    private func checkSame(_ object: JSON, _ stored: JSON) throws(MatrixError) {
        guard JSONSigning.signedBytes(of: object) == JSONSigning.signedBytes(of: stored) else { throw .unknown("Key does not match") }
    }

    private func missing(_ usage: CrossSigningUsage) -> MatrixError {
        .notFound("No \(usage.rawValue) key found for \(user)")
    }

    private static let wrongSignature = MatrixError.invalidSignature("Invalid signature")
}
