// The keys of everyone, of this server or of another one, as clients ask for them. Client-Server API §Key management API.

import Federation
import MatrixCore
import Persistence
import Synchronization

/// Puts together what this server has itself and what others say.
package struct KeyDirectory: Sendable {
    private let database: any Database
    private let keys: EndToEndKeyService
    private let lists: RemoteDeviceLists
    private let source: any RemoteKeySource
    private let serverName: ServerName

    /// How long other servers may take, where the client does not say, and at most.
    package static let defaultTimeout = Duration.seconds(10)
    private static let longestTimeout = Duration.seconds(60)

    package init(
        database: any Database, keys: EndToEndKeyService, lists: RemoteDeviceLists, source: any RemoteKeySource, serverName: ServerName
    ) {
        self.database = database
        self.keys = keys
        self.lists = lists
        self.source = source
        self.serverName = serverName
    }

    /// - Parameter milliseconds: what the client says.
    package static func timeout(_ milliseconds: Int64?) -> Duration {
        guard let milliseconds else { return defaultTimeout }
        return min(max(.milliseconds(milliseconds), .milliseconds(1)), longestTimeout)
    }

    // MARK: Query

    /// The identity keys of users' devices, and the cross-signing keys of the users, with the signatures that `viewer` may see.
    package func query(_ query: KeyQuery, by viewer: UserID, timeout: Duration) async throws -> KeyQueryAnswer {
        let local = try await keys.query(query, by: viewer)
        let remote = query.users.filter { !$0.user.belongs(to: serverName) }
        guard !remote.isEmpty else { return local }
        let found = try await lists.keys(of: remote, timeout: timeout)
        // Read last: whoever signed a key that was fetched just now has signed it before.
        let signatures = try await database.read { try CrossSigningStore.signatures(by: viewer, on: $0) }
        return KeyQueryAnswer(
            users: local.users + found.users,
            crossSigningKeys: local.crossSigningKeys + KeyQueryAnswer.showing(signatures, by: viewer, on: found.crossSigningKeys),
            failures: found.failures)
    }

    // MARK: Claim

    /// Hands out one key for each claim that can be met.
    package func claim(_ claims: [KeyClaim], timeout: Duration) async throws -> KeyClaimAnswer {
        let local = try await keys.claim(claims)
        let remote = claims.filter { !$0.address.user.belongs(to: serverName) }
        guard !remote.isEmpty else { return local }
        let answer = Mutex(local)
        let byServer = Dictionary(grouping: remote, by: \.address.user.server)
        await byServer.forEachConcurrently(limit: RemoteDeviceLists.serversAtOnce) { server, claims in
            let outcome = await within(timeout) { await claim(claims, at: server, timeout: timeout) }
            answer.withLock { answer in
                switch outcome {
                case .success(let keys): answer.keys += keys
                case .failure(let failure): answer.failures.append((server, failure.asKeyFailure))
                case nil: answer.failures.append((server, FederationFailure.unreachable(server, "").asKeyFailure))
                }
            }
        }
        return answer.withLock { answer in
            KeyClaimAnswer(
                keys: answer.keys.sorted { $0.address < $1.address }, failures: answer.failures.sorted { $0.server < $1.server })
        }
    }

    private func claim(
        _ claims: [KeyClaim], at server: ServerName, timeout: Duration
    ) async -> Result<[ClaimedKey], FederationFailure> {
        // Servers give one key for each device.
        var wanted: [UserID: [DeviceID: ByteString]] = [:]
        for claim in claims { wanted[claim.address.user, default: [:]][claim.address.device] = claim.algorithm }
        do throws(FederationFailure) {
            let answer = try await source.claimKeys(wanted, at: server, timeout: timeout)
            return .success(claims.compactMap { ClaimedKey($0, in: answer) })
        } catch {
            return .failure(error)
        }
    }
}

extension ClaimedKey {
    /// The key that another server gives for a claim, if it is one.
    fileprivate init?(_ claim: KeyClaim, in answer: JSON) {
        guard let keys = answer["one_time_keys"]?[claim.address.user.text]?[claim.address.device.text], keys.isObject else { return nil }
        for (name, key) in keys.members {
            guard let (algorithm, id) = KeyUpload.split(name), algorithm == claim.algorithm, KeyUpload.isKey(key),
                key.byteRange.count <= KeyUpload.deviceKeysLimit
            else { continue }
            self.init(
                address: claim.address, key: StoredKey(algorithm: algorithm, keyID: id, json: key.canonicalBytes), changesCounts: false)
            return
        }
        return nil
    }
}

extension KeyDirectory: RemoteMasterKeys {
    package func masterKeys(of users: [UserID]) async throws -> [UserID: CrossSigningKey] {
        let remote = users.filter { !$0.belongs(to: serverName) }
        guard !remote.isEmpty else { return [:] }
        let found = try await lists.keys(of: remote.map { ($0, []) }, timeout: Self.defaultTimeout)
        let masters = found.crossSigningKeys.filter { $0.usage == .master }
        return Dictionary(masters.compactMap { row in CrossSigningKey(row).map { (row.user, $0) } }) { $1 }
    }
}
