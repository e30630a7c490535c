// The published keys of this server's users, in memory: everybody who comes into an encrypted room asks for those of all its members.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// What a user has published.
package struct UserKeys: Sendable {
    package var devices: [DeviceKeysRow] = []
    /// All of them, also the user-signing key, which only its owner may see.
    package var crossSigningKeys: [CrossSigningKeyRow] = []

    package init() {}

    /// About how many bytes it holds in memory.
    fileprivate var cost: Int {
        devices.reduce(200) { $0 + $1.json.count + 200 } + crossSigningKeys.reduce(0) { $0 + $1.json.count + 200 }
    }
}

/// Keeps keys as long as no commit tells of a change of them. It looks at the commits when it is asked, and whoever changes keys is answered
/// after the commit is published: so nobody is shown less than what was acknowledged.
package final class UserKeyCache: Sendable {
    private let commits: CommitStream
    private let keys = CostCache<UserID, UserKeys>(limit: 4 << 20)
    /// The commits up to here have been looked at.
    private let position: Mutex<StreamPosition>

    package init(commits: CommitStream) {
        self.commits = commits
        position = Mutex(commits.position)
    }

    /// The keys of each of `users`, in their order.
    ///
    /// - Parameter read: the keys of those who are not in memory, by the database; users without keys may be left out.
    package func keys(of users: [UserID], read: ([UserID]) async throws -> [UserID: UserKeys]) async throws -> [UserKeys] {
        let begun = catchUp()
        var found = users.map { keys[$0] }
        let missing = users.indices.filter { found[$0] == nil }
        guard !missing.isEmpty else { return found.compactMap { $0 } }
        let stored = try await read(missing.map { users[$0] })
        for index in missing { found[index] = stored[users[index]] ?? UserKeys() }
        position.withLock { position in
            position = look(after: position)
            // What was changed since the reading began may be what it was before, or not.
            guard let changed = changedUsers(after: begun) else { return }
            for index in missing where !changed.contains(users[index]) {
                if let keys = found[index] { self.keys.insert(keys, for: users[index], cost: keys.cost) }
            }
        }
        return found.compactMap { $0 }
    }

    /// What was written of `user` is not told by a commit, or not yet.
    package func forget(_ user: UserID) { keys.remove(user) }

    private func catchUp() -> StreamPosition {
        position.withLock { position in
            position = look(after: position)
            return position
        }
    }

    /// Forgets what was changed after `position`.
    ///
    /// - Returns: the end of the stream before it was looked at.
    private func look(after position: StreamPosition) -> StreamPosition {
        let end = commits.position
        guard end > position else { return position }
        if let changed = changedUsers(after: position) {
            for user in changed { keys.remove(user) }
        } else {
            keys.removeAll()
        }
        return end
    }

    /// nil: memory does not reach back so far.
    private func changedUsers(after position: StreamPosition) -> Set<UserID>? {
        guard let recent = commits.recent(after: position) else { return nil }
        var changed: Set<UserID> = []
        for commit in recent {
            for change in commit.changes {
                switch change.kind {
                case .deviceList(let user), .signatures(let user, _): changed.insert(user)
                default: continue
                }
            }
        }
        return changed
    }
}
