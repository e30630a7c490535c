// What people have set for a room goes with them when another room takes its place. Client-Server API §Room upgrades.

import Logging
import MatrixCore
import Persistence
import Rooms

/// Copies tags, the mark of a direct chat and push rules of the local members of an old room to the new one.
package struct RoomSettingsCopy: Sendable {
    private let database: any Database
    private let accountData: AccountDataService
    private let pushRules: PushRuleService
    private let logger: Logger

    package init(database: any Database, accountData: AccountDataService, pushRules: PushRuleService, logger: Logger) {
        self.database = database
        self.accountData = accountData
        self.pushRules = pushRules
        self.logger = logger
    }

    /// A user whose settings cannot be copied keeps the old ones; the others are not to suffer from it.
    package func copy(from old: RoomID, _ oldNID: RoomNID, to new: RoomID) async throws {
        let users = try await database.read { try MembershipStore.membersWithRoomData(oldNID, id: old, on: $0) }
        for user in users {
            do {
                try await copyTags(of: old, to: new, for: user)
                try await copyDirectChat(of: old, to: new, for: user)
                try await pushRules.copyRules(of: old, to: new, for: user)
            } catch let error as MatrixError {
                logger.info("settings of a room were not copied", metadata: ["user": "\(user)", "error": "\(error)"])
            }
        }
    }

    private func copyTags(of old: RoomID, to new: RoomID, for user: UserID) async throws {
        guard let content = try await accountData.content(Self.tags, room: old, of: user),
            try await accountData.content(Self.tags, room: new, of: user) == nil
        else { return }
        try await accountData.set(Self.tags, room: new, content: content, of: user)
    }

    private func copyDirectChat(of old: RoomID, to new: RoomID, for user: UserID) async throws {
        guard let stored = try await accountData.content(Self.direct, room: nil, of: user),
            let changed = Self.directChats(stored, with: new, besides: old)
        else { return }
        try await accountData.set(Self.direct, room: nil, content: changed, of: user)
    }

    /// The content of `m.direct` with `new` where `old` is; nil where it is the same.
    static func directChats(_ stored: [UInt8], with new: RoomID, besides old: RoomID) -> [UInt8]? {
        guard let document = try? JSONDocument(parsing: stored) else { return nil }
        var chats = JSONObject(document.root)
        var isChanged = false
        for (person, value) in chats {
            guard var rooms = value.array, rooms.contains(.string(old.string)), !rooms.contains(.string(new.string)) else { continue }
            rooms.append(.string(new.string))
            chats[person] = .array(rooms)
            isChanged = true
        }
        return isChanged ? chats.canonicalBytes : nil
    }

    private static let tags: ByteString = "m.tag"
    private static let direct: ByteString = "m.direct"
}
