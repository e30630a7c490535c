// The keys that devices publish for encryption, and who gets them. Client-Server API §End-to-end encryption, Key management API.

import MatrixCore
import Persistence
import Rooms

/// Stores, shows and hands out keys. What the server says of a key, the devices do not trust: they check the signatures.
package final class EndToEndKeyService: Sendable {
    private let database: any Database
    private let journal: Journal
    private let serverName: ServerName
    private let counts = KeyCountCache(capacity: 20_000)
    private let published: UserKeyCache
    /// The keys of one user are changed by one request after the other, so that two of them cannot both find that a key is new.
    private let changes: KeyedQueue<UserID>

    /// How long a key that was handed out is remembered, so that a repeated upload cannot bring it back.
    private static let claimedKeyMemory: Int64 = 7 * 24 * 60 * 60 * 1000

    /// - Parameter changes: shared with all that changes the keys of users' devices.
    package init(
        database: any Database, journal: Journal, serverName: ServerName, changes: KeyedQueue<UserID> = KeyedQueue()
    ) {
        self.database = database
        self.journal = journal
        self.serverName = serverName
        self.changes = changes
        published = UserKeyCache(commits: journal.commits)
    }

    // MARK: Upload

    /// Stores a device's keys.
    ///
    /// - Returns: what the device has now.
    /// - Throws: `M_INVALID_PARAM` where a one-time key of the same id is there and is another key; then nothing is stored.
    package func upload(_ upload: KeyUpload, by owner: DeviceAddress) async throws -> KeyCounts {
        try await changes.run(owner.user) {
            let records = try await self.records(of: upload, by: owner)
            guard !records.isEmpty else { return }
            _ = try await counts.whileWriting([owner]) { try await journal.append(JournalBatch(records: records)) }
        }
        return try await keyCounts(of: owner)
    }

    /// What of an upload is news.
    func records(of upload: KeyUpload, by owner: DeviceAddress) async throws -> [any JournalRecord] {
        let stored = try await database.read { connection in
            let deviceKeys = try upload.deviceKeys.flatMap { _ in
                try DeviceKeyStore.keys(of: owner.device, of: owner.user, on: connection)
            }
            guard !upload.oneTimeKeys.isEmpty else { return (deviceKeys: deviceKeys, oneTimeKeys: [StoredKey]()) }
            return (
                deviceKeys: deviceKeys,
                oneTimeKeys: try OneTimeKeyStore.keys(
                    withIDs: upload.oneTimeKeys.map(\.keyID), of: owner.device, of: owner.user, on: connection)
            )
        }
        var records: [any JournalRecord] = []
        if let uploaded = upload.deviceKeys {
            // What the self-signing key signed stays signed.
            let deviceKeys = stored.deviceKeys.map { SignedKeys.merging(uploaded, withSignaturesOf: $0) } ?? uploaded
            if deviceKeys != stored.deviceKeys { records.append(DeviceKeysChange(address: owner, json: deviceKeys)) }
        }
        let oneTimeKeys = try upload.newOneTimeKeys(stored: stored.oneTimeKeys)
        if !oneTimeKeys.isEmpty || !upload.fallbackKeys.isEmpty {
            let forgetBefore = Timestamp.now.advanced(byMilliseconds: -EndToEndKeyService.claimedKeyMemory)
            records.append(
                OneTimeKeysAdded(
                    address: owner, oneTimeKeys: oneTimeKeys, fallbackKeys: upload.fallbackKeys, forgetBefore: forgetBefore))
        }
        return records
    }

    // MARK: Query

    /// The identity keys of the devices of this server's users, and their cross-signing keys, with the signatures that `viewer` may see.
    /// Users of other servers are passed over: `KeyDirectory` knows of them.
    package func query(_ query: KeyQuery, by viewer: UserID) async throws -> KeyQueryAnswer {
        let local = query.users.filter { $0.user.belongs(to: serverName) }
        guard !local.isEmpty else { return KeyQueryAnswer(users: [], crossSigningKeys: [], failures: []) }
        let found = try await published.keys(of: local.map(\.user)) { users in
            try await database.read { try EndToEndKeyService.keys(of: users, on: $0) }
        }
        let crossSigningKeys = found.flatMap(\.crossSigningKeys).filter { $0.usage != .userSigning || $0.user == viewer }
        let signatures = crossSigningKeys.isEmpty ? [] : try await database.read { try CrossSigningStore.signatures(by: viewer, on: $0) }
        return KeyQueryAnswer(
            users: zip(local, found).map { wanted, keys in (wanted.user, KeyQueryAnswer.devices(wanted.devices, of: keys.devices[...])) },
            crossSigningKeys: KeyQueryAnswer.showing(signatures, by: viewer, on: crossSigningKeys), failures: [])
    }

    private static func keys(of users: [UserID], on connection: any SQLConnection) throws -> [UserID: UserKeys] {
        var keys: [UserID: UserKeys] = [:]
        for row in try DeviceKeyStore.keys(ofDevicesOf: users, on: connection) { keys[row.user, default: UserKeys()].devices.append(row) }
        for row in try CrossSigningStore.keys(of: users, on: connection) {
            keys[row.user, default: UserKeys()].crossSigningKeys.append(row)
        }
        return keys
    }

    // MARK: Claim

    /// Hands out one key for each claim that can be met: the oldest one-time key, or the fallback key. A one-time key is never
    /// handed out twice. Users of other servers are passed over.
    package func claim(_ claims: [KeyClaim]) async throws -> KeyClaimAnswer {
        let local = claims.filter { $0.address.user.belongs(to: serverName) }
        var keys: [ClaimedKey] = []
        if !local.isEmpty {
            keys = try await counts.whileWriting(Set(local.map(\.address))) { [database] in
                let now = Timestamp.now
                return try await database.write { connection in
                    try EndToEndKeyService.claim(local, at: now, on: connection)
                }
            }
        }
        for address in Set(keys.lazy.filter(\.changesCounts).map(\.address)) {
            await journal.publishTransient { position in
                Change(position: position, kind: .oneTimeKeys(user: address.user, device: address.device))
            }
        }
        return KeyClaimAnswer(keys: keys, failures: [])
    }

    /// - Parameter claims: in order. Two transactions lock the rows in the same order, so that neither waits for the other in a circle.
    private static func claim(
        _ claims: [KeyClaim], at time: Timestamp, on connection: any SQLConnection
    ) throws -> [ClaimedKey] {
        try claims.compactMap { claim in
            let (user, device) = (claim.address.user, claim.address.device)
            if let key = try OneTimeKeyStore.claim(claim.algorithm, of: device, of: user, at: time, on: connection) {
                return ClaimedKey(address: claim.address, key: key, changesCounts: true)
            }
            return try OneTimeKeyStore.claimFallback(claim.algorithm, of: device, of: user, on: connection).map { key, isFirstUse in
                ClaimedKey(address: claim.address, key: key, changesCounts: isFirstUse)
            }
        }
    }

    // MARK: Counts

    /// What `/sync` tells a device of its keys. From memory, but for the first time after a change.
    package func keyCounts(of address: DeviceAddress) async throws -> KeyCounts {
        try await counts.counts(of: address) { [database] in
            try await database.read { connection in
                KeyCounts(
                    oneTimeKeys: try OneTimeKeyStore.counts(of: address.device, of: address.user, on: connection),
                    unusedFallbackTypes: try OneTimeKeyStore.unusedFallbackAlgorithms(
                        of: address.device, of: address.user, on: connection))
            }
        }
    }

    /// The unclaimed one-time keys of a device by algorithm.
    package func oneTimeKeyCounts(_ user: UserID, _ device: DeviceID) async throws -> [(String, Int)] {
        try await keyCounts(of: DeviceAddress(user: user, device: device)).oneTimeKeys
    }

    /// The algorithms of a device's fallback keys that nobody was given yet.
    package func unusedFallbackKeyTypes(_ user: UserID, _ device: DeviceID) async throws -> [String] {
        try await keyCounts(of: DeviceAddress(user: user, device: device)).unusedFallbackTypes
    }
}

extension EndToEndKeyService: DeviceObserver {
    package func deleteRows(of device: DeviceID, user: UserID, on connection: any SQLConnection) throws {
        try DeviceKeyStore.delete(of: device, of: user, on: connection)
        try OneTimeKeyStore.delete(of: device, of: user, on: connection)
        try DehydratedDeviceStore.delete(device, of: user, on: connection)
    }

    package func didDelete(_ devices: [DeviceID], of user: UserID) async {
        counts.forget(devices.map { DeviceAddress(user: user, device: $0) })
        published.forget(user)
    }
}
