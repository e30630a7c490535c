// Whom users do not want to hear of. Client-Server API §Ignoring Users.

import MatrixCore
import Rooms
import Synchronization

/// The lists of ignored users that were asked for lately.
final class IgnoredUsers: Sendable {
    static let type: ByteString = "m.ignored_user_list"

    private struct State {
        var lists: RecentCache<UserID, Set<UserID>>
        /// How many lists were changed.
        var changeCount = 0
    }

    private let state: Mutex<State>

    init(capacity: Int = 10_000) {
        state = Mutex(State(lists: RecentCache(capacity: capacity)))
    }

    /// The list of a user, read with `read` where it is not known.
    func list(of user: UserID, reading read: () async throws -> [UInt8]?) async throws -> Set<UserID> {
        let (known, changeCount) = state.withLock { ($0.lists.value(for: user), $0.changeCount) }
        if let known { return known }
        let list = IgnoredUsers.users(in: try await read())
        state.withLock { state in
            // What was read may be out of date by now.
            if state.changeCount == changeCount { state.lists.insert(list, for: user) }
        }
        return list
    }

    /// The list of a user has changed, durably.
    func forget(_ user: UserID) {
        state.withLock { state in
            state.lists.remove(user)
            state.changeCount += 1
        }
    }

    /// - Parameter content: of the account data; what is no list ignores nobody.
    static func users(in content: [UInt8]?) -> Set<UserID> {
        guard let content, let document = try? JSONDocument(parsing: content), let users = document.root["ignored_users"] else { return [] }
        return Set(users.members.map { UserID(trusted: $0.key.string) })
    }
}
