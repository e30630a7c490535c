// The rooms of a space, and of the spaces in it. Client-Server API §Discovering rooms within spaces, /hierarchy.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Shows the tree below a space in pages.
///
/// Where a client's walk through a tree was interrupted is kept in memory for five minutes: after a restart the client begins anew, as
/// it does when it comes back late.
package final class SpaceHierarchyService: Sendable {
    package struct Page: Sendable {
        package let rooms: [Room]
        package let nextBatch: String?
    }

    package struct Room: Sendable {
        package let appearance: RoomAppearance
        /// `m.space.child` events.
        package let children: [[UInt8]]
    }

    let appearances: RoomAppearanceReader
    private let events: EventReader
    let serverName: ServerName
    private let walks = Mutex(SpaceWalks())

    /// Rooms in one page.
    package static let pageLimit = 50
    /// Rooms that one request looks at, also those that turn out to be none of the user's business.
    private static let visitLimit = 200
    /// The children of one space that are read, at most.
    private static let childLimit = 2000

    package init(appearances: RoomAppearanceReader, events: EventReader, serverName: ServerName) {
        self.appearances = appearances
        self.events = events
        self.serverName = serverName
    }

    /// - Parameters:
    ///   - limit: how many rooms are wanted; never more than 50 come. There may be fewer, and yet another page.
    ///   - token: `next_batch` of the page before.
    /// - Throws: `M_FORBIDDEN` where the root is none of the user's business, `M_INVALID_PARAM` for a token of another request.
    package func page(_ request: SpaceHierarchyRequest, limit: Int?, from token: String?, for user: UserID) async throws -> Page {
        guard try await appearances.accessible(request.room, to: user) != nil else {
            throw MatrixError.forbidden("User \(user) not in room \(request.room), and room previews are disabled")
        }
        var walk = try walk(request, from: token, for: user)
        let limit = min(limit ?? SpaceHierarchyService.pageLimit, SpaceHierarchyService.pageLimit)
        var found: [(room: RoomSnapshot, children: [SpaceChild])] = []
        var visits = 0
        while found.count < limit, visits < SpaceHierarchyService.visitLimit, let step = walk.next() {
            visits += 1
            guard let room = try await appearances.accessible(step.room, to: user) else { continue }
            let children = try await children(of: room).filter { $0.isSuggested || !request.suggestedOnly }
            found.append((room, children))
            if request.maxDepth.map({ step.depth < $0 }) ?? true { walk.descend(children, from: step) }
        }
        let rooms = zip(try await appearances.appearances(of: found.map(\.room)), found).map { appearance, room in
            Room(appearance: appearance, children: room.children.map(\.json))
        }
        return Page(rooms: rooms, nextBatch: walk.isAtEnd ? nil : keep(walk, request, for: user))
    }

    // MARK: Steps

    /// The children of a space, in their order; a room that is no space has none.
    func children(of room: RoomSnapshot) async throws -> [SpaceChild] {
        guard CreateEvent(room.createEvent).roomType == "m.space" else { return [] }
        let nids = room.state.lazy.compactMap { $0.key.type == "m.space.child" ? $0.value.nid : nil }
        return try await events.events(Array(nids.prefix(SpaceHierarchyService.childLimit))).compactMap { SpaceChild($0) }.sorted()
    }

    private func walk(_ request: SpaceHierarchyRequest, from token: String?, for user: UserID) throws(MatrixError) -> SpaceWalk {
        guard let token else { return SpaceWalk(from: request.room) }
        guard let walk = walks.withLock({ $0.walk(ByteString(token), request, of: user, now: .now) }) else {
            throw .invalidParam("Unknown pagination token")
        }
        return walk
    }

    private func keep(_ walk: SpaceWalk, _ request: SpaceHierarchyRequest, for user: UserID) -> String {
        var generator = SystemRandomNumberGenerator()
        let token = Base64.encode((0..<18).map { _ in UInt8.random(in: .min ... .max, using: &generator) }, .urlSafe)
        walks.withLock { $0.keep(walk, request, of: user, token: ByteString(token), now: .now) }
        return token
    }
}
