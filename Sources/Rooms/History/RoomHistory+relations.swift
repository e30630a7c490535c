// The events that relate to one, and the threads of a room. Client-Server API §Relationships API, §Querying threads in a room.

import MatrixCore
import Persistence

/// What is asked of the children of one event.
package struct RelationsRequest: Sendable {
    package let parent: EventID
    package var relType: ByteString?
    package var eventType: ByteString?
    package var direction = RoomHistory.Direction.backwards
    package var from: StreamPosition?
    package var to: StreamPosition?
    package var limit: Int
    /// Whether events are wanted too that relate to the parent through others.
    package var recurses = false

    package init(parent: EventID, limit: Int) {
        self.parent = parent
        self.limit = limit
    }
}

extension RoomHistory {
    /// At most this many events come in one page of relations or threads.
    private static let relationLimit = 100

    /// A page of the events that relate to one.
    ///
    /// - Throws: `M_NOT_FOUND` where the parent is not there or not to be seen.
    package func relations(_ request: RelationsRequest, in view: RoomView) async throws -> Page {
        let parent = try await event(request.parent, in: view)
        let limit = min(request.limit, RoomHistory.relationLimit)
        guard limit > 0 else { return Page() }
        let search = Search(
            direction: request.direction, start: request.from ?? (request.direction == .backwards ? view.end : .start), limit: limit
        ) { cursor, count in
            let query = RoomHistory.query(request, in: view, from: cursor, limit: count)
            return try await events.events(
                events.database.read { connection in
                    request.recurses
                        ? try RelationStore.descendants(query, on: connection)
                        : try RelationStore.children(query, on: connection)
                })
        } isWanted: { event in
            // What stood in the place of a redacted event would tell what was redacted.
            parent.redactedBy == nil || event.relation?.type != EventRelation.replace
        }
        let found = try await find(search, in: view)
        return Page(events: found.events, next: found.next)
    }

    private static func query(
        _ request: RelationsRequest, in view: RoomView, from cursor: StreamPosition, limit: Int
    ) -> RelationQuery {
        let isBackwards = request.direction == .backwards
        var query = RelationQuery(
            room: view.snapshot.nid, parent: request.parent, after: isBackwards ? request.to ?? .start : cursor,
            upTo: isBackwards ? min(cursor, view.end) : min(request.to ?? view.end, view.end), limit: limit)
        query.relType = request.relType
        query.eventType = request.eventType
        query.isBackwards = isBackwards
        return query
    }

    // MARK: Threads

    /// How many threads one request looks at, at most.
    private static let threadScanLimit = 1000

    /// A page of the roots of a room's threads, the one with the newest reply first.
    ///
    /// - Parameters:
    ///   - participatedOnly: only threads whose root or a reply the viewer sent.
    ///   - start: only threads whose newest reply is older.
    package func threads(in view: RoomView, participatedOnly: Bool, before start: StreamPosition?, limit: Int) async throws -> Page {
        let limit = min(limit, RoomHistory.relationLimit)
        guard limit > 0 else { return Page() }
        var roots: [TimelineEvent] = []
        var sight = Sight(view)
        var cursor = start ?? StreamPosition(.max)
        var scanned = 0
        while scanned < RoomHistory.threadScanLimit {
            let count = limit - roots.count
            let (before, room) = (cursor, view.snapshot.nid)
            let rows = try await events.database.read { try RelationStore.threads(in: room, before: before, limit: count, on: $0) }
            guard let last = rows.last else { return Page(events: try await bundled(roots, in: view), next: nil) }
            scanned += rows.count
            cursor = last.latestPosition
            var batch = try await events.events(rows.map(\.root))
            if participatedOnly { batch = try await participated(batch, in: view) }
            try await sight.extend(to: batch, in: events)
            roots += batch.filter { sight.shows($0) }
            if roots.count >= limit { break }
        }
        return Page(events: try await bundled(roots, in: view), next: try await hasThreads(before: cursor, in: view) ? cursor : nil)
    }

    private func participated(_ roots: [TimelineEvent], in view: RoomView) async throws -> [TimelineEvent] {
        let others = roots.filter { $0.sender != view.viewer }.map(\.id)
        guard !others.isEmpty else { return roots }
        let (room, viewer) = (view.snapshot.nid, view.viewer)
        let replied = try await events.database.read { try RelationStore.participated(others, in: room, by: viewer, on: $0) }
        return roots.filter { $0.sender == viewer || replied.contains($0.id) }
    }

    private func hasThreads(before position: StreamPosition, in view: RoomView) async throws -> Bool {
        let room = view.snapshot.nid
        return try await !events.database.read { try RelationStore.threads(in: room, before: position, limit: 1, on: $0) }.isEmpty
    }

    /// The roots as the viewer gets them. That of an ignored user is shown without its content, so that the thread can be shown.
    private func bundled(_ roots: [TimelineEvent], in view: RoomView) async throws -> [ViewedEvent] {
        var sight = Sight(view)
        try await sight.extend(to: roots, in: events)
        let viewed = roots.map { root in
            let shown = view.ignored.contains(root.sender) ? root.withoutContent(view.snapshot.version.redactionRules) : root
            return ViewedEvent(event: shown, membership: sight.membership(at: root))
        }
        return try await bundled(viewed, in: view, by: sight)
    }
}
