// What clients keep on the server for their user. Client-Server API §Client Config.

import MatrixCore
import Persistence
import Rooms

/// One piece of account data as sync gives it.
package struct AccountDataItem: Sendable {
    /// Nil for global account data.
    package let room: RoomID?
    package let type: ByteString
    /// A JSON object.
    package let content: [UInt8]

    package init(room: RoomID?, type: ByteString, content: [UInt8]) {
        self.room = room
        self.type = type
        self.content = content
    }
}

/// Reads and writes account data. Push rules are part of what is read, but have a store and an interface of their own.
package struct AccountDataService: Sendable {
    package static let pushRules: ByteString = "m.push_rules"
    package static let fullyRead: ByteString = "m.fully_read"
    /// The longest type, in bytes: it is part of an index.
    private static let typeLimit = 512

    private let database: any Database
    private let journal: Journal
    private let pushRuleService: PushRuleService
    private let ignoredUsers = IgnoredUsers()

    package init(database: any Database, journal: Journal, pushRules: PushRuleService) {
        self.database = database
        self.journal = journal
        pushRuleService = pushRules
    }

    /// The content of a type, or nil.
    package func content(_ type: ByteString, room: RoomID?, of user: UserID) async throws -> [UInt8]? {
        if type == Self.pushRules {
            return room == nil ? try await pushRuleService.rendered(for: user) : Array("{}".utf8)
        }
        return try await database.read { try AccountDataStore.content(type, room: room, of: user, on: $0) }
    }

    /// The users whom a user ignores.
    package func ignoredUsers(of user: UserID) async throws -> Set<UserID> {
        try await ignoredUsers.list(of: user) { try await content(IgnoredUsers.type, room: nil, of: user) }
    }

    /// Writes what a client sets.
    ///
    /// - Throws: `M_BAD_JSON` with status 405 for types that the server keeps itself; `M_INVALID_PARAM` for an unusable type, and
    ///   for who would ignore themselves: their own messages would be gone.
    @discardableResult
    package func put(_ type: ByteString, room: RoomID?, content: [UInt8], of user: UserID) async throws -> StreamPosition {
        try Self.checkMayBePut(type)
        if type == IgnoredUsers.type, room == nil, IgnoredUsers.users(in: content).contains(user) {
            throw MatrixError.invalidParam("You cannot ignore yourself")
        }
        return try await set(type, room: room, content: content, of: user)
    }

    /// Deletes what a client set. Incremental syncs tell of it by an empty object (MSC3391).
    ///
    /// - Throws: as `put`. What is not there is no error.
    package func delete(_ type: ByteString, room: RoomID?, of user: UserID) async throws {
        try Self.checkMayBePut(type)
        guard try await content(type, room: room, of: user) != nil else { return }
        try await set(type, room: room, content: [], of: user)
    }

    /// Writes account data of any type, also those that only the server sets, such as `m.fully_read`.
    ///
    /// - Parameter content: a JSON object.
    @discardableResult
    package func set(_ type: ByteString, room: RoomID?, content: [UInt8], of user: UserID) async throws -> StreamPosition {
        let record = AccountDataRecord(user: user, room: room, type: type, content: content, ignoredUsers: ignoredUsers)
        return try await journal.append(JournalBatch(records: [record])).upperBound
    }

    /// What changed after `after` up to `upTo`; with no `after` everything. Push rules are among it, rendered whole.
    package func changes(for user: UserID, after: StreamPosition?, upTo: StreamPosition) async throws -> [AccountDataItem] {
        let rows = try await database.read { connection in
            if let after {
                try AccountDataStore.changes(of: user, after: after.value, upTo: upTo.value, on: connection)
            } else {
                try AccountDataStore.all(of: user, on: connection)
            }
        }
        var items = rows.map { AccountDataItem(room: $0.room, type: $0.type, content: $0.content) }
        if let rules = try await pushRuleService.rendered(for: user, ifChangedAfter: after) {
            items.append(AccountDataItem(room: nil, type: Self.pushRules, content: rules))
        }
        return items
    }

    private static func checkMayBePut(_ type: ByteString) throws(MatrixError) {
        let instead: [ByteString: String] = [
            fullyRead: "Use /rooms/!roomId:server.name/read_markers", pushRules: "Use /pushrules",
        ]
        if let path = instead[type] {
            throw MatrixError(status: 405, errcode: "M_BAD_JSON", message: "Cannot set \(type) through this API. \(path)")
        }
        guard !type.string.isEmpty, type.string.utf8.count <= typeLimit, !type.string.utf8.contains(0) else {
            throw .invalidParam("Invalid account data type")
        }
    }
}

/// A write of account data in the Journal.
private struct AccountDataRecord: JournalRecord {
    let user: UserID
    let room: RoomID?
    let type: ByteString
    let content: [UInt8]
    let ignoredUsers: IgnoredUsers

    func write(on connection: any SQLConnection, at position: StreamPosition) throws {
        try AccountDataStore.set(type, room: room, to: content, of: user, position: position.value, on: connection)
    }

    func change(at position: StreamPosition) -> Change {
        if room == nil, type == IgnoredUsers.type { ignoredUsers.forget(user) }
        return Change(position: position, kind: .accountData(user: user, room: room))
    }
}
