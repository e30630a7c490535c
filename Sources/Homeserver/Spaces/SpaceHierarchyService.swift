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
        package let rooms: [Entry]
        package let nextBatch: String?
    }

    package enum Entry: Sendable {
        case local(Room)
        /// A room that this server is not in, with its `m.space.child` events.
        case remote(RemoteRoom, children: [[UInt8]])

        package var room: RoomID {
            switch self {
            case .local(let room): room.appearance.snapshot.roomID
            case .remote(let room, _): room.room
            }
        }

        package var children: [[UInt8]] {
            switch self {
            case .local(let room): room.children
            case .remote(_, let children): children
            }
        }
    }

    package struct Room: Sendable {
        package let appearance: RoomAppearance
        /// `m.space.child` events.
        package let children: [[UInt8]]
    }

    let appearances: RoomAppearanceReader
    private let events: EventReader
    let serverName: ServerName
    let remote: RemoteSpaces?
    private let walks = Mutex(SpaceWalks())

    /// Rooms in one page.
    package static let pageLimit = 50
    /// Rooms that one request looks at, also those that turn out to be none of the user's business.
    private static let visitLimit = 200
    /// The children of one space that are read, at most.
    private static let childLimit = 2000
    /// How long one request asks other servers after rooms. What remains is for the next page.
    private static let remoteTime = Duration.seconds(10)

    /// - Parameter remote: asks after the rooms that this server is not in; nil: nobody does.
    package init(appearances: RoomAppearanceReader, events: EventReader, serverName: ServerName, remote: RemoteSpaces? = nil) {
        self.appearances = appearances
        self.events = events
        self.serverName = serverName
        self.remote = remote
    }

    /// - Parameters:
    ///   - limit: how many rooms are wanted; never more than 50 come. There may be fewer, and yet another page.
    ///   - token: `next_batch` of the page before.
    ///   - servers: who may be asked after the root.
    /// - Throws: `M_FORBIDDEN` where the root is none of the user's business, `M_INVALID_PARAM` for a token of another request.
    package func page(
        _ request: SpaceHierarchyRequest, limit: Int?, from token: String?, via servers: [ServerName] = [], for user: UserID
    ) async throws -> Page {
        let root = SpaceWalk(from: request.room, via: servers)
        guard try await isAccessible(request, root, to: user) else {
            throw MatrixError.forbidden("User \(user) not in room \(request.room), and room previews are disabled")
        }
        var walk = try walk(request, from: token, for: user) ?? root
        let limit = min(limit ?? SpaceHierarchyService.pageLimit, SpaceHierarchyService.pageLimit)
        var found: [Finding] = []
        var visits = 0
        let end = ContinuousClock.now + Self.remoteTime
        while found.count < limit, visits < SpaceHierarchyService.visitLimit, visits == 0 || .now < end, let step = walk.next() {
            visits += 1
            guard let finding = try await visit(step, request, for: user) else { continue }
            found.append(finding)
            guard request.goesBelow(step.depth) else { continue }
            switch finding {
            case .local(_, let children): walk.descend(children, from: step)
            case .remote(_, let children, let told): walk.descend(children, from: step, told: told)
            }
        }
        return Page(rooms: try await entries(found), nextBatch: walk.isAtEnd ? nil : keep(walk, request, for: user))
    }

    /// Whether the user may know of the root: else there is no tree.
    private func isAccessible(_ request: SpaceHierarchyRequest, _ root: SpaceWalk, to user: UserID) async throws -> Bool {
        if try await appearances.accessible(request.room, to: user) != nil { return true }
        var walk = root
        guard let step = walk.next() else { return false }
        return try await visit(step, request, for: user) != nil
    }

    // MARK: Visits

    /// What is at one step of the walk.
    private enum Finding {
        case local(RoomSnapshot, children: [SpaceChild])
        case remote(RemoteRoom, children: [SpaceChild], told: [RoomID: RemoteRoom])
    }

    /// - Returns: nil where there is nothing that the user may know of.
    private func visit(_ step: SpaceWalk.Step, _ request: SpaceHierarchyRequest, for user: UserID) async throws -> Finding? {
        if let room = try await appearances.accessible(step.room, to: user) {
            return .local(room, children: try await children(of: room).filter { $0.isSuggested || !request.suggestedOnly })
        }
        // What this server itself knows of a room stands above what others say.
        guard let remote, try await !appearances.isResident(step.room, serverName) else { return nil }
        // A room that has no children, or whose children are not wanted, need not be asked after again.
        if let told = step.told, !told.isSpace || !request.goesBelow(step.depth) {
            return try await appearances.isAccessible(told, to: user) ? .remote(told, children: [], told: [:]) : nil
        }
        guard let found = await remote.hierarchy(of: step.room, via: step.servers, suggestedOnly: request.suggestedOnly),
            try await appearances.isAccessible(found.room, to: user)
        else { return nil }
        let children = found.children.filter { !found.inaccessible.contains($0.room) && ($0.isSuggested || !request.suggestedOnly) }
        return .remote(found.room, children: children, told: found.told)
    }

    private func entries(_ found: [Finding]) async throws -> [Entry] {
        let local = found.compactMap { if case .local(let room, _) = $0 { room } else { nil } }
        var appearances = try await appearances.appearances(of: local).makeIterator()
        return found.compactMap { finding in
            switch finding {
            case .local(_, let children):
                appearances.next().map { .local(Room(appearance: $0, children: children.map(\.json))) }
            case .remote(let room, let children, _): .remote(room, children: children.map(\.json))
            }
        }
    }

    // MARK: Steps

    /// The children of a space, in their order; a room that is no space has none.
    func children(of room: RoomSnapshot) async throws -> [SpaceChild] {
        guard CreateEvent(room.createEvent).roomType == "m.space" else { return [] }
        let nids = room.state.lazy.compactMap { $0.key.type == SpaceChild.type ? $0.value.nid : nil }
        return try await events.events(Array(nids.prefix(SpaceHierarchyService.childLimit))).compactMap { SpaceChild($0) }.sorted()
    }

    /// - Returns: nil where the request begins one.
    private func walk(_ request: SpaceHierarchyRequest, from token: String?, for user: UserID) throws(MatrixError) -> SpaceWalk? {
        guard let token else { return nil }
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
