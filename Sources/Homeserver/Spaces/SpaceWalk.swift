// The way through a tree of spaces, and where it was interrupted. Client-Server API §Discovering rooms within spaces.

import DequeModule
import MatrixCore
import Persistence

/// What a client asks of a tree.
package struct SpaceHierarchyRequest: Sendable, Hashable {
    package let room: RoomID
    package var suggestedOnly = false
    /// How many steps below the root are walked; nil for all.
    package var maxDepth: Int64?

    package init(room: RoomID) { self.room = room }

    func goesBelow(_ depth: Int64) -> Bool { maxDepth.map { depth < $0 } ?? true }
}

/// Depth first, each room once.
package struct SpaceWalk: Sendable {
    package struct Step: Sendable {
        package let room: RoomID
        package let depth: Int64
        /// Who may be asked after the room, where this server is not in it.
        package var servers: [ServerName] = []
        /// What another server told of it along with the space it is in.
        package var told: RemoteRoom?
    }

    /// What is still to be visited; the next one is last.
    private var stack: [Step]
    private var visited: Set<RoomID> = []

    /// A tree with more rooms than this in waiting is not walked to its end.
    static let stackLimit = 10_000

    package init(from root: RoomID, via servers: [ServerName] = []) { stack = [Step(room: root, depth: 0, servers: servers)] }

    package var isAtEnd: Bool { stack.isEmpty }

    /// About how much it holds in memory: what was told of a room counts as some rooms more.
    package var size: Int { visited.count + stack.reduce(0) { $0 + ($1.told == nil ? 1 : 5) } }

    /// The next room that was not visited yet.
    package mutating func next() -> Step? {
        while let step = stack.popLast() {
            if visited.insert(step.room).inserted { return step }
        }
        return nil
    }

    /// Has the children of the room that was visited last visited next, in their order.
    ///
    /// - Parameter told: what another server told of them.
    package mutating func descend(_ children: [SpaceChild], from step: Step, told: [RoomID: RemoteRoom] = [:]) {
        let room = SpaceWalk.stackLimit - stack.count
        let fresh = children.prefix(max(0, room)).filter { !visited.contains($0.room) }
        stack += fresh.reversed().map { Step(room: $0.room, depth: step.depth + 1, servers: $0.servers, told: told[$0.room]) }
    }
}

/// Walks that clients have not finished, by the tokens that name them. Each is bound to its user and its request.
package struct SpaceWalks: Sendable {
    private struct Entry: Sendable {
        let user: UserID
        let request: SpaceHierarchyRequest
        let walk: SpaceWalk
        let expiry: Timestamp
    }

    private var entries: [ByteString: Entry] = [:]
    /// The tokens, oldest first.
    private var order: Deque<ByteString> = []
    private var size = 0

    /// Milliseconds.
    package static let lifetime: Int64 = 5 * 60_000
    /// Rooms in all walks together: some ten megabytes.
    private static let sizeLimit = 100_000

    package init() {}

    package mutating func keep(_ walk: SpaceWalk, _ request: SpaceHierarchyRequest, of user: UserID, token: ByteString, now: Timestamp) {
        entries[token] = Entry(
            user: user, request: request, walk: walk, expiry: now.advanced(byMilliseconds: SpaceWalks.lifetime))
        order.append(token)
        size += walk.size
        let overdue = order.prefix { token in entries[token].map { $0.expiry < now } ?? true }.count
        for _ in 0..<overdue { dropOldest() }
        while size > SpaceWalks.sizeLimit, order.count > 1 { dropOldest() }
    }

    /// The walk that a token names, for the user who was given it and for the same request. It stays, for the page may get lost.
    package func walk(_ token: ByteString, _ request: SpaceHierarchyRequest, of user: UserID, now: Timestamp) -> SpaceWalk? {
        guard let entry = entries[token], entry.user == user, entry.request == request, entry.expiry >= now else { return nil }
        return entry.walk
    }

    private mutating func dropOldest() {
        guard !order.isEmpty, let entry = entries.removeValue(forKey: order.removeFirst()) else { return }
        size -= entry.walk.size
    }
}
