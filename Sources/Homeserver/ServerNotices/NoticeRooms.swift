// The rooms in which the server speaks to its users, one for each. Client-Server API §Server Notices; Synapse's `server_notices`.

import MatrixCore
import Persistence
import Rooms
import ServerConfiguration

/// Finds a user's notice room, or makes it: a room of the user as whom notices are sent, to which nobody else is invited and in which only
/// notices are written. Who has left it gets another with the next notice.
package struct NoticeRooms: Sendable {
    /// The tag by which clients know the room.
    package static let tag = "m.server_notice"

    private let options: ServerNoticeOptions
    private let sender: UserID
    private let database: any Database
    private let rooms: RoomRegistry
    private let events: EventReader
    private let creation: RoomCreation
    private let membership: RoomMembership
    private let tags: TagService
    /// There is one room for each user: two notices at once must not make two.
    private let queue = KeyedQueue<UserID>()

    /// - Returns: nil where the server sends no notices.
    package init?(
        _ options: ServerNoticeOptions?, rooms: RoomRegistry, events: EventReader, creation: RoomCreation, membership: RoomMembership,
        tags: TagService
    ) {
        guard let options, let sender = rooms.environment.noticeSender else { return nil }
        self.options = options
        self.sender = sender
        database = rooms.environment.database
        self.rooms = rooms
        self.events = events
        self.creation = creation
        self.membership = membership
        self.tags = tags
    }

    /// The room of a user who is in it or invited to it.
    package func room(of user: UserID) async throws -> Room? {
        let id = try await database.read { [sender] in try MembershipStore.room(of: user, with: sender, on: $0) }
        guard let id else { return nil }
        return try await rooms.room(id)
    }

    /// Writes into a user's room, which is made where there is none.
    ///
    /// - Parameter transactionID: the same one writes once.
    @discardableResult
    package func send(
        _ content: JSONObject, type: ByteString = "m.room.message", stateKey: ByteString? = nil, to user: UserID,
        transactionID: String? = nil
    ) async throws -> EventID {
        let room = try await queue.run(user) { try await roomToSendTo(user) }
        return try await room.send(
            EventDraft(type: type, stateKey: stateKey, content: content, sender: sender),
            from: EventOrigin(user: sender, transactionID: transactionID))
    }

    // MARK: Steps

    private func roomToSendTo(_ user: UserID) async throws -> Room {
        guard let room = try await room(of: user) else { return try await make(for: user) }
        try await refresh(room)
        return room
    }

    private func make(for user: UserID) async throws -> Room {
        var request = CreateRoomRequest()
        request.preset = .privateChat
        request.powerLevelOverride = ["users_default": -10]
        request.creatorProfile = profile
        request.mayBeEncrypted = false
        request.name = options.roomName
        request.topic = options.roomTopic
        if let url = options.roomAvatarURL { request.initialState.append(.init(.avatar, ["url": .string(url)])) }
        let id = try await creation.create(request, by: sender, isAdmin: true)
        // Clients that hear of the invite know what room it is.
        try await tags.mark(id, Self.tag, for: user)
        try await membership.change(.invite, of: user, in: id, by: MembershipRequester(user: sender, isAdmin: true))
        if options.joinsUsers { try await membership.change(.join, of: user, in: id, by: MembershipRequester(user: user, isServer: true)) }
        guard let room = try await rooms.room(id) else { throw MatrixError.internalError }
        return room
    }

    /// Has a room look as the operator wants it now.
    private func refresh(_ room: Room) async throws {
        var member = profile
        member["membership"] = "join"
        let wanted: [(key: StateKey, texts: [String], content: JSONObject)] = [
            (.name, ["name"], ["name": .string(options.roomName ?? "")]),
            (.topic, ["topic"], RoomTopic.content(options.roomTopic ?? "")),
            (.avatar, ["url"], ["url": .string(options.roomAvatarURL ?? "")]),
            (.member(sender), ["displayname", "avatar_url"], member),
        ]
        var drafts: [EventDraft] = []
        for (key, texts, content) in wanted {
            let present = try await self.content(of: key, in: room)
            // None is as good as an empty one.
            if texts.allSatisfy({ present?[$0]?.string ?? "" == content[$0]?.string ?? "" }) { continue }
            drafts.append(EventDraft(type: key.type, stateKey: key.stateKey, content: content, sender: sender))
        }
        if !drafts.isEmpty { try await room.send(drafts, from: EventOrigin(user: sender)) }
    }

    /// What a state event of a room says.
    func content(of key: StateKey, in room: Room) async throws -> JSON? {
        guard let entry = room.current.entry(key) else { return nil }
        return try await events.event(entry.nid)?.content()
    }

    /// Whether an event is a notice, by its id.
    func isNotice(_ id: String, in room: Room) async throws -> Bool {
        guard let id = EventID(valid: id), let event = try await events.event(id, in: room.id) else { return false }
        return try event.sender == sender && event.type == "m.room.message" && event.content()?["msgtype"]?.string == "m.server_notice"
    }

    /// How the sender is called in these rooms.
    private var profile: JSONObject {
        var profile: JSONObject = [:]
        profile["displayname"] = options.senderName.map { .string($0) }
        profile["avatar_url"] = options.senderAvatarURL.map { .string($0) }
        return profile
    }
}
