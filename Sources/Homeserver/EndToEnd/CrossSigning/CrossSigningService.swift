// The keys with which users vouch for their devices and for each other. Client-Server API §Cross-signing.

import MatrixCore
import Persistence
import Rooms

/// Stores cross-signing keys and the signatures made with them.
package final class CrossSigningService: Sendable {
    private let database: any Database
    private let journal: Journal
    /// The keys of one user are changed by one request after the other.
    private let changes: KeyedQueue<UserID>
    private let remoteKeys: (any RemoteMasterKeys)?

    /// - Parameters:
    ///   - changes: shared with all that changes the keys of users' devices.
    ///   - remoteKeys: knows the keys of users of other servers; nil: nobody does.
    package init(
        database: any Database, journal: Journal, changes: KeyedQueue<UserID>, remoteKeys: (any RemoteMasterKeys)? = nil
    ) {
        self.database = database
        self.journal = journal
        self.changes = changes
        self.remoteKeys = remoteKeys
    }

    /// Thrown where an upload replaces keys: only their owner may do that.
    package struct AuthenticationNeeded: Error, Sendable {}

    // MARK: Keys

    /// Stores a user's keys, and tells those who can see them.
    ///
    /// The first keys are free, and so is what is there already. To replace keys takes authentication, unless an administrator allowed to do
    /// without for a while.
    ///
    /// - Throws: `AuthenticationNeeded`; `M_MISSING_PARAM` without a master key; `M_INVALID_SIGNATURE`; `M_FORBIDDEN` for a key that is called
    ///   as a device of the user is.
    package func upload(_ upload: CrossSigningUpload, of user: UserID, isAuthenticated: Bool) async throws {
        try await changes.run(user) {
            let (stored, devices, replaceableUntil) = try await self.stored(of: user)
            switch upload.decision(stored: stored) {
            case .nothingNew: return
            case .first: break
            case .replacement:
                let isFree = replaceableUntil.map { Timestamp.now < $0 } ?? false
                guard isAuthenticated || isFree else { throw AuthenticationNeeded() }
            }
            try upload.checkSignatures(stored: stored, of: user)
            try await store(upload, of: user, replacing: stored, devices: devices)
        }
    }

    private func stored(
        of user: UserID
    ) async throws -> (keys: [CrossSigningUsage: CrossSigningKey], devices: [DeviceKeysRow], replaceableUntil: Timestamp?) {
        try await database.read { connection in
            (
                CrossSigningService.byUsage(try CrossSigningStore.keys(of: [user], on: connection)),
                try DeviceKeyStore.keys(ofDevicesOf: [user], on: connection),
                try CrossSigningStore.replaceableUntil(of: user, on: connection)
            )
        }
    }

    private func store(
        _ upload: CrossSigningUpload, of user: UserID, replacing stored: [CrossSigningUsage: CrossSigningKey], devices: [DeviceKeysRow]
    ) async throws {
        let rows = upload.keys.values.map { key in
            let json = stored[key.usage].map { SignedKeys.merging(key.json, withSignaturesOf: $0.json) } ?? key.json
            return CrossSigningKeyRow(user: user, usage: key.usage, publicKey: key.publicKey, json: json)
        }
        let isReplaced = { (usage: CrossSigningUsage) in
            guard let key = upload.keys[usage], let old = stored[usage] else { return false }
            return key.publicKey != old.publicKey
        }
        let (forgetsMade, forgetsGot) = (isReplaced(.userSigning), isReplaced(.master))
        // What an earlier self-signing key signed is worth nothing any more.
        var unsigned: [(device: DeviceID, json: [UInt8])] = []
        if isReplaced(.selfSigning), let old = stored[.selfSigning] {
            unsigned = devices.map { ($0.device, SignedKeys.removing(old.publicKey, of: user, from: $0.json)) }
        }
        let withoutOldSignatures = unsigned
        let isPrivate = upload.keys[.master] == nil && upload.keys[.selfSigning] == nil
        try await journal.append(
            JournalBatch(
                records: [DeviceListChange(user: user, .crossSigningKeys, seenBy: isPrivate ? user : nil)],
                alongside: { connection in
                    for row in rows {
                        if try DeviceStore.exists(DeviceID(trusted: row.publicKey.string), of: user, on: connection) {
                            throw MatrixError.forbidden("Key ID in use")
                        }
                        try CrossSigningStore.set(row, on: connection)
                    }
                    if forgetsMade { try CrossSigningStore.deleteSignatures(by: user, on: connection) }
                    if forgetsGot { try CrossSigningStore.deleteSignatures(of: user, on: connection) }
                    for (device, json) in withoutOldSignatures { try DeviceKeyStore.replace(json, of: device, of: user, on: connection) }
                }))
    }

    /// Lets a user replace the master key without authentication for a while.
    ///
    /// - Returns: until when; nil where the user has no master key.
    package func allowReplacement(of user: UserID, forMilliseconds duration: Int64) async throws -> Timestamp? {
        let end = Timestamp.now.advanced(byMilliseconds: duration)
        return try await database.write { try CrossSigningStore.setReplaceable(until: end, of: user, on: $0) } ? end : nil
    }

    // MARK: Signatures

    /// Stores the signatures that are right, and tells those who can see them.
    ///
    /// - Returns: what is wrong with the others.
    package func upload(_ upload: SignatureUpload, by user: UserID) async throws -> [RefusedSignature] {
        // Other servers are asked before: nobody waits for them in the queue.
        let remote = try await remoteKeys?.masterKeys(of: upload.others(than: user)) ?? [:]
        return try await changes.run(user) {
            let check = try await check(of: upload, by: user, remote: remote)
            let outcome = check.outcome(of: upload)
            if !outcome.isEmpty { try await store(outcome, by: user, checkedBy: check) }
            return outcome.failures
        }
    }

    private func check(
        of upload: SignatureUpload, by user: UserID, remote: [UserID: CrossSigningKey]
    ) async throws -> SignatureCheck {
        let others = upload.others(than: user)
        return try await database.read { connection in
            var own: [CrossSigningUsage: CrossSigningKey] = [:]
            var masters = remote
            for row in try CrossSigningStore.keys(of: [user] + others, on: connection) {
                guard let key = CrossSigningKey(row) else { continue }
                if row.user == user { own[row.usage] = key } else if row.usage == .master { masters[row.user] = key }
            }
            var devices: [ByteString: JSON] = [:]
            for row in try DeviceKeyStore.keys(ofDevicesOf: [user], on: connection) {
                devices[row.device.text] = SignedKeys.parse(row.json)
            }
            let known = others.isEmpty ? [] : try CrossSigningStore.signatures(by: user, on: connection)
            return SignatureCheck(user: user, own: own, devices: devices, masters: masters, known: Set(known))
        }
    }

    private func store(_ outcome: SignatureCheck.Outcome, by user: UserID, checkedBy check: SignatureCheck) async throws {
        var records: [any JournalRecord] = []
        for name in outcome.devices.keys.sorted() {
            records.append(DeviceListChange(user: user, .device(DeviceID(trusted: name.string))))
        }
        if !outcome.master.isEmpty { records.append(DeviceListChange(user: user, .crossSigningKeys)) }
        for signature in outcome.others { records.append(DeviceListChange(user: signature.user, .crossSigningKeys, seenBy: user)) }
        let devices = outcome.devices.compactMap { name, signature in
            check.devices[name].map { device in
                (device: DeviceID(trusted: name.string), json: SignedKeys.adding([signature], by: user, to: Array(device.bytes)))
            }
        }
        let master = outcome.master.isEmpty ? nil : check.own[.master].map { SignedKeys.adding(outcome.master, by: user, to: $0.json) }
        try await journal.append(
            JournalBatch(
                records: records,
                alongside: { connection in
                    for (device, json) in devices { try DeviceKeyStore.replace(json, of: device, of: user, on: connection) }
                    if let master { try CrossSigningStore.setJSON(master, of: .master, of: user, on: connection) }
                    for signature in outcome.others { try CrossSigningStore.insert(signature, by: user, on: connection) }
                }))
    }

    static func byUsage(_ rows: [CrossSigningKeyRow]) -> [CrossSigningUsage: CrossSigningKey] {
        var keys: [CrossSigningUsage: CrossSigningKey] = [:]
        for row in rows { keys[row.usage] = CrossSigningKey(row) }
        return keys
    }
}

extension CrossSigningService: DeviceObserver {
    /// The device's signature of the master key goes with it; what was signed of the device goes with its keys.
    package func deleteRows(of device: DeviceID, user: UserID, on connection: any SQLConnection) throws {
        let master = try CrossSigningStore.keys(of: [user], on: connection).first { $0.usage == .master }
        guard let master else { return }
        let json = SignedKeys.removing(device.text, of: user, from: master.json)
        if json != master.json { try CrossSigningStore.setJSON(json, of: .master, of: user, on: connection) }
    }
}
