// The tags that users put on their rooms. Client-Server API §Room Tagging.

import MatrixCore
import Persistence
import Rooms

/// Reads and changes tags. They are kept as the room's account data of type `m.tag`, which is how clients get them.
package struct TagService: Sendable {
    private let accountData: AccountDataService
    private let rooms: RoomRegistry
    /// Adding and taking away rewrite the same value: one at a time for each user.
    private let queue = KeyedQueue<UserID>()

    private static let type: ByteString = "m.tag"
    /// Bytes of a tag's name.
    private static let nameLimit = 255
    /// Bytes of all tags of a room.
    private static let sizeLimit = 65_536

    package init(accountData: AccountDataService, rooms: RoomRegistry) {
        self.accountData = accountData
        self.rooms = rooms
    }

    package func tags(of room: RoomID, for user: UserID) async throws -> JSONObject {
        guard let bytes = try await accountData.content(Self.type, room: room, of: user) else { return [:] }
        // Clients can write the account data itself: what is no object of tags counts as none.
        return JSONValue(try JSONDocument(parsing: bytes).root)["tags"]?.object ?? [:]
    }

    /// - Throws: `M_INVALID_PARAM` for a name that is too long, `M_FORBIDDEN` for who never had to do with the room, `M_TOO_LARGE`.
    package func put(_ tag: String, _ content: JSON, on room: RoomID, for user: UserID) async throws {
        guard tag.utf8.count <= Self.nameLimit else { throw MatrixError.invalidParam("tag parameter's length is over 255 bytes") }
        guard try await rooms.room(room)?.current.membership(of: user) != nil else {
            throw MatrixError.forbidden("User \(user) has no membership in room \(room)")
        }
        try await change(room, for: user) { $0[tag] = .object(JSONObject(content)) }
    }

    /// Puts a tag of this server's on a room, whether the user has to do with it already or not.
    package func mark(_ room: RoomID, _ tag: String, for user: UserID) async throws {
        try await change(room, for: user) { $0[tag] = [:] }
    }

    package func remove(_ tag: String, from room: RoomID, for user: UserID) async throws {
        try await change(room, for: user) { $0[tag] = nil }
    }

    private func change(_ room: RoomID, for user: UserID, _ body: @Sendable (inout JSONObject) -> Void) async throws {
        try await queue.run(user) {
            let before = try await tags(of: room, for: user)
            var after = before
            body(&after)
            guard after != before else { return }
            let content = JSONValue.object(["tags": .object(after)]).canonicalBytes
            guard content.count <= Self.sizeLimit else { throw MatrixError.tooLarge("The tags of a room must stay under 64 KiB") }
            try await accountData.set(Self.type, room: room, content: content, of: user)
        }
    }
}
