// What the endpoints that read rooms have in common.

import Homeserver
import MatrixCore
import Persistence
import Rooms

extension APIContext {
    /// The room of the path, as the one who asks may read it.
    var roomView: RoomView {
        get async throws { try await roomView(of: try roomID("roomId"), for: try requester) }
    }

    func roomView(of room: RoomID, for requester: Requester) async throws -> RoomView {
        let ignored = try await homeserver.accountData.ignoredUsers(of: requester.user)
        return try await homeserver.history.view(of: room, for: requester.user, ignoring: ignored)
    }

    /// For whom events are written.
    var viewer: EventViewer {
        get throws(MatrixError) {
            let requester = try requester
            return EventViewer(user: requester.user, device: requester.device)
        }
    }

    /// Whether the path has this parameter: some have forms with and without it.
    func hasParameter(_ name: String) -> Bool { parameters.names.contains(name) }

    /// The token `name` of the query; nil where there is none.
    func positionQuery(_ name: String) throws(MatrixError) -> StreamPosition? {
        guard let text = query(name), !text.isEmpty else { return nil }
        return try SyncToken(parsing: text).position
    }

    /// The `limit` of the query, no more than what comes in one page.
    ///
    /// - Throws: `M_INVALID_PARAM` for one that is negative or no number.
    func limitQuery(default standard: Int) throws(MatrixError) -> Int {
        guard let limit = try queryInt("limit") else { return standard }
        guard limit >= 0 else { throw .invalidParam("Query parameter limit must be a positive integer.") }
        return Int(min(limit, Int64(RoomHistory.pageLimit)))
    }

    /// The `filter` of the query, a `RoomEventFilter` as JSON.
    var roomEventFilter: RoomEventFilter {
        get throws(MatrixError) {
            guard let text = query("filter"), !text.isEmpty else { return .everything }
            let document: JSONDocument
            do { document = try JSONDocument(parsing: Array(text.utf8), limits: .request) } catch { throw MatrixError(error) }
            return try RoomEventFilter(json: document.root)
        }
    }
}

extension JSONWriter {
    /// A member that is a list of events.
    mutating func member(_ key: String, _ events: [ViewedEvent], for viewer: EventViewer?, now: Timestamp) {
        member(key, array: { writer in for event in events { event.write(to: &writer, for: viewer, now: now) } })
    }

    /// The same for events of the state, of which nothing is told but themselves.
    mutating func member(_ key: String, _ events: [TimelineEvent], for viewer: EventViewer?, now: Timestamp) {
        member(
            key, array: { writer in for event in events { event.write(to: &writer, includeRoomID: true, for: viewer, now: now) } })
    }
}
