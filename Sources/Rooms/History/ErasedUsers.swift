// Users who had their account and what they said erased. Client-Server API §Deactivating accounts, `erase`.

import MatrixCore
import Persistence
import Synchronization

/// The erased users of this server, in memory: whoever reads a page of a room's history asks for them.
///
/// What they said stays visible to those who were in the room at the time. Others see that there was something, not what.
package final class ErasedUsers: Sendable {
    private let database: any Database
    private let state = Mutex(State())

    private struct State {
        var users: Set<UserID> = []
        /// Whether those are in `users` who were erased before the server started.
        var isLoaded = false
    }

    package init(database: any Database) { self.database = database }

    /// Notes that a user was erased, durably.
    package func insert(_ user: UserID) { state.withLock { _ = $0.users.insert(user) } }

    /// Notes that a user is there again, durably.
    package func remove(_ user: UserID) { state.withLock { _ = $0.users.remove(user) } }

    package func all() async throws -> Set<UserID> {
        if let known = state.withLock({ $0.isLoaded ? $0.users : nil }) { return known }
        let read = try await database.read { try AccountEndingStore.erasedUsers(on: $0) }
        return state.withLock { state in
            state.users.formUnion(read)
            state.isLoaded = true
            return state.users
        }
    }
}

extension RoomMembership {
    package var erasedUsers: ErasedUsers { environment.erasedUsers }
}
