// A client as the room list of the matrix-rust-sdk is one: a window that grows until it shows all rooms, with one event each, and rooms
// that are opened, of which it wants more.

import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport

/// What the client knows, by what it was told. Of the state it takes what `required_state` brings, and nothing from timelines.
struct RoomListClient {
    struct KnownRoom {
        /// Event ids by type and state key.
        var state: [String: String] = [:]
        /// Oldest first, from the last gap on.
        var timeline: [KnownEvent] = []
        var name: String?
        var heroes: Set<String> = []
        var joinedCount: Int64?
        var invitedCount: Int64?
        var notifications: Int64?
        var highlights: Int64?
        var isInvite = false
    }

    struct KnownEvent {
        let id: String
        let sender: String
        /// What it is, for who reads about a difference.
        let type: String
        let isState: Bool
    }

    let user: UserID
    private(set) var rooms: [String: KnownRoom] = [:]
    /// The rooms of the list that the window shows, in order; and how many there are.
    private(set) var order: [String] = []
    private var count = 0
    private(set) var position: String?
    /// How often the server did not know a position any more.
    private(set) var lostPositions = 0
    private var end = 1
    private var opened: Set<String> = []

    init(user: UserID) { self.user = user }

    static let listState = """
        ["m.room.name", ""], ["m.room.encryption", ""], ["m.room.member", "$LAZY"], ["m.room.member", "$ME"], ["m.room.topic", ""],
        ["m.room.avatar", ""], ["m.room.canonical_alias", ""], ["m.room.power_levels", ""], ["org.matrix.msc3401.call.member", "*"],
        ["m.room.join_rules", ""], ["m.room.tombstone", ""], ["m.room.create", ""], ["m.room.history_visibility", ""],
        ["io.element.functional_members", ""], ["m.space.parent", "*"], ["m.space.child", "*"], ["com.example.1", "*"]
        """

    private var body: String {
        let subscriptions = opened.sorted().map { room in
            #""\#(room)": {"required_state": [\#(Self.listState), ["com.example.2", ""]], "timeline_limit": 20}"#
        }
        return """
            {"conn_id": "room-list",
             "lists": {"all_rooms": {"ranges": [[0, \(end)]], "required_state": [\(Self.listState)], "timeline_limit": 1}},
             "room_subscriptions": {\(subscriptions.joined(separator: ", "))},
             "extensions": {"account_data": {"enabled": true}, "receipts": {"enabled": true, "rooms": ["*"]}, "typing": {"enabled": true}}}
            """
    }

    // MARK: What people do with it

    /// A room is shown, or no longer.
    mutating func toggle(_ room: RoomID) {
        if opened.remove(room.string) == nil { opened.insert(room.string) }
    }

    var isWhole: Bool { order.count >= count }

    /// One request. The window grows with each as long as there are more rooms than it shows.
    ///
    /// - Parameter isLost: the answer does not arrive.
    mutating func ask(_ server: SlidingFixture, isLost: Bool = false) async throws {
        let response: SlidingResponse
        do {
            response = try await server.ask(user, pos: position, body)
        } catch let error as MatrixError where error.errcode == "M_UNKNOWN_POS" {
            lostPositions += 1
            position = nil
            end = 1
            return try await ask(server, isLost: isLost)
        }
        guard !isLost else { return }
        take(response.json)
    }

    // MARK: Taking in

    private mutating func take(_ json: JSON) {
        position = json["pos"]?.string
        for member in json["rooms"].map({ Array($0.members) }) ?? [] {
            var room = rooms[member.key.string] ?? KnownRoom()
            if member.value["initial"]?.bool == true { room = KnownRoom() }
            room.take(member.value)
            rooms[member.key.string] = room
        }
        let list = json["lists"]?["all_rooms"]
        count = Int(list?["count"]?.int ?? 0)
        order = (list?["ops"]?[0]?["room_ids"]?.elements).map { $0.compactMap(\.string) } ?? []
        if end + 1 < count { end += 2 }
    }
}

extension RoomListClient.KnownRoom {
    fileprivate mutating func take(_ json: JSON) {
        if let name = json["name"]?.string { self.name = name }
        if let list = json["heroes"] {
            heroes = Set(list.elements.compactMap { $0["user_id"]?.string })
            // Who gets heroes gets them because the room has no name.
            name = nil
        }
        joinedCount = json["joined_count"]?.int ?? joinedCount
        invitedCount = json["invited_count"]?.int ?? invitedCount
        notifications = json["notification_count"]?.int ?? notifications
        highlights = json["highlight_count"]?.int ?? highlights
        isInvite = json["invite_state"] != nil
        for event in json["required_state"].map({ Array($0.elements) }) ?? [] {
            guard let type = event["type"]?.string, let key = event["state_key"]?.string else { continue }
            state["\(type)|\(key)"] = event["event_id"]?.string
        }
        let new = json["timeline"].map { Array($0.elements) } ?? []
        if json["limited"]?.bool == true || json["unstable_expanded_timeline"]?.bool == true { timeline = [] }
        // After a crash the server may tell what it has told before.
        let told = Set(new.compactMap { $0["event_id"]?.string })
        timeline.removeAll { told.contains($0.id) }
        timeline += new.map { event in
            RoomListClient.KnownEvent(
                id: event["event_id"]?.string ?? "", sender: event["sender"]?.string ?? "",
                type: "\(event["type"]?.string ?? "") \(event["state_key"]?.string ?? "") \(event["content"]?["membership"]?.string ?? "")",
                isState: event["state_key"] != nil)
        }
    }
}
