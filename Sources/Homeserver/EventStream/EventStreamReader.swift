// What of the commit stream one user gets from `GET /events`.

import MatrixCore
import Persistence
import Rooms

/// Picks what concerns one user out of the changes, in their order.
struct EventStreamReader {
    let stream: EventStream
    let request: EventStreamRequest
    let ignored: Set<UserID>
    /// The rooms that are listened to.
    private var rooms: Set<RoomID> = []

    init(stream: EventStream, request: EventStreamRequest, ignored: Set<UserID>) {
        self.stream = stream
        self.request = request
        self.ignored = ignored
    }

    /// Finds out which rooms are listened to.
    ///
    /// - Throws: `M_FORBIDDEN` for a room that the user may not read.
    mutating func open() async throws {
        guard let room = request.room else {
            rooms = Set(try await stream.membership.rooms(of: request.user).filter { $0.membership == .join }.map(\.room))
            return
        }
        if case .departed = try await view(of: room).standing { throw MatrixError.forbidden("Non-joined access not allowed") }
        rooms = [room]
    }

    private func view(of room: RoomID) async throws -> RoomView {
        try await stream.history.view(of: room, for: request.user, ignoring: ignored)
    }

    /// What the user is told of a change, if anything.
    mutating func items(of change: Change) async throws -> [EventStreamAnswer.Item] {
        switch change.kind {
        case .event(let event):
            return try await item(of: event).map { [$0] } ?? []
        case .typing(let room):
            guard rooms.contains(room) else { return [] }
            return [.typing(room: room, users: stream.typing.state(in: room).users)]
        case .receipt(let room, _):
            guard rooms.contains(room) else { return [] }
            let contents = try await stream.receipts.receipts(
                in: [room], for: request.user, after: change.position.predecessor, upTo: change.position)
            return contents.map { .receipts(room: $0.key, content: $0.value) }
        case .presence(let user):
            guard try await isPresenceVisible(of: user) else { return [] }
            return try await stream.presence.presences(of: [user]).map { .presence(user: $0.user, $0.presence) }
        case .accountData(let user, let room) where user == request.user:
            guard request.room == nil || request.room == room else { return [] }
            let items = try await stream.accountData.changes(for: user, after: change.position.predecessor, upTo: change.position)
            return items.filter { $0.room == room }.map { .accountData($0) }
        default:
            return []
        }
    }

    private mutating func item(of event: TimelineEvent) async throws -> EventStreamAnswer.Item? {
        let isOwn = event.membership != nil && event.stateKey == request.user.text && request.room == nil
        guard isOwn || rooms.contains(event.roomID) else { return nil }
        if isOwn {
            if event.membership == .join { rooms.insert(event.roomID) } else { rooms.remove(event.roomID) }
        }
        do {
            let viewed = try await stream.history.viewed([event], in: try await view(of: event.roomID))
            if let shown = viewed.first { return .event(shown) }
        } catch let error as MatrixError where error.status == 403 {
            // The room is closed to the user; but an invite, or how it ended, is told all the same.
        }
        return isOwn ? .event(ViewedEvent(event: event, membership: event.membership ?? .leave)) : nil
    }

    private func isPresenceVisible(of user: UserID) async throws -> Bool {
        guard stream.presence.isShown else { return false }
        guard let room = request.room else { return try await stream.presence.isVisible(user, to: request.user) }
        return try await stream.rooms.room(room)?.current.membership(of: user) == .join
    }
}
