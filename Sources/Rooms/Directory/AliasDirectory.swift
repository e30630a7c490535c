// Names of rooms. Client-Server API §Room aliases, §m.room.canonical_alias.

import MatrixCore
import Persistence

/// Gives local aliases out, resolves them and takes them back.
package struct AliasDirectory: Sendable {
    private let rooms: RoomRegistry
    package let policy: DirectoryPolicy
    private let remote: (any RemoteAliases)?
    private var environment: RoomEnvironment { rooms.environment }

    /// - Parameter remote: resolves the aliases of other servers; nil: nobody does.
    package init(rooms: RoomRegistry, policy: DirectoryPolicy = DirectoryPolicy(), remote: (any RemoteAliases)? = nil) {
        self.rooms = rooms
        self.policy = policy
        self.remote = remote
    }

    /// How many of the servers in a room are told of.
    private static let serverLimit = 100
    /// How many aliases of other servers one canonical alias event may add: each is asked for.
    private static let remoteLimit = 20

    /// The greatest length of an alias in bytes. Appendices §Room aliases.
    static let byteLimit = 255

    // MARK: Asking

    /// The room of an alias, of this server or another one, and servers that are in it: this one first where it is.
    ///
    /// - Throws: `M_NOT_FOUND`; 502 where the alias's server cannot be asked.
    package func resolve(_ alias: RoomAlias) async throws -> (room: RoomID, servers: [ServerName]) {
        guard let found = try await lookUp(alias) else { throw MatrixError.notFound("Room alias \(alias) not found") }
        let known = try await rooms.room(found.room)?.current.servers(limit: AliasDirectory.serverLimit) ?? []
        let isLocal = known.contains(environment.serverName) || alias.belongs(to: environment.serverName)
        var servers: [ServerName] = isLocal ? [environment.serverName] : []
        var seen = Set(servers)
        for server in found.servers + known where seen.insert(server).inserted { servers.append(server) }
        return (found.room, servers)
    }

    private func lookUp(_ alias: RoomAlias) async throws -> (room: RoomID, servers: [ServerName])? {
        guard alias.belongs(to: environment.serverName) else {
            guard let remote else { throw MatrixError.remoteServer(alias.server) }
            return try await remote.resolve(alias)
        }
        return try await environment.database.read { try AliasStore.alias(alias, on: $0) }.map { ($0.room, []) }
    }

    /// The local aliases of a room, for its members and administrators, or for everyone where the history is world-readable.
    package func aliases(of roomID: RoomID, for user: UserID, isAdmin: Bool = false) async throws -> [String] {
        guard let room = try await rooms.room(roomID),
            isAdmin || room.current.membership(of: user) == .join || room.current.historyVisibility == .worldReadable
        else { throw MatrixError.forbidden("User \(user) not in room \(roomID)") }
        let nid = room.nid
        return try await environment.database.read { try AliasStore.aliases(of: nid, on: $0) }
    }

    // MARK: Changing

    /// - Throws: `M_INVALID_PARAM`, `M_NOT_FOUND` for an unknown room, `M_FORBIDDEN`, 409 `M_UNKNOWN` when it is taken.
    package func create(_ alias: RoomAlias, for roomID: RoomID, by user: UserID, isAdmin: Bool = false) async throws {
        try check(alias)
        guard let room = try await rooms.room(roomID) else { throw MatrixError.notFound("Room does not exist") }
        if policy.requiresMembership, !isAdmin, room.current.membership(of: user) != .join {
            throw MatrixError.forbidden("You must be in the room to create an alias for it")
        }
        try policy.checkMayCreate(alias, for: roomID, by: user)
        let nid = room.nid
        do {
            try await environment.database.write { try AliasStore.insert(alias, room: nid, creator: user, on: $0) }
        } catch let error as DatabaseError where error.isUniqueViolation {
            throw MatrixError(status: 409, errcode: "M_UNKNOWN", message: "Room alias \(alias) already exists")
        }
    }

    /// Takes an alias back, also out of the room's canonical alias event where the user may change that. The one who made the alias,
    /// administrators, and who may set the canonical alias can do this.
    package func delete(_ alias: RoomAlias, by user: UserID, device: DeviceID?, isAdmin: Bool = false) async throws {
        guard alias.belongs(to: environment.serverName) else { throw MatrixError.invalidParam("Room alias must be local") }
        guard let row = try await environment.database.read({ try AliasStore.alias(alias, on: $0) }) else {
            throw MatrixError.notFound("Unknown room alias")
        }
        let room = try await rooms.room(row.room)
        guard row.creator == user || isAdmin || room?.current.maySetCanonicalAlias(user) == true else {
            throw MatrixError.forbidden("You don't have permission to delete the alias.")
        }
        guard try await environment.database.write({ try AliasStore.delete(alias, on: $0) }) else {
            throw MatrixError.notFound("Unknown room alias")
        }
        if let room { try await removeFromCanonicalAlias(alias, of: room, by: EventOrigin(user: user, device: device)) }
    }

    /// A name that this server may give. Appendices §Room aliases.
    func check(_ alias: RoomAlias) throws(MatrixError) {
        guard alias.belongs(to: environment.serverName) else { throw .invalidParam("Room alias must be local") }
        guard alias.string.utf8.count <= AliasDirectory.byteLimit else {
            throw .invalidParam("Can't create aliases longer than \(AliasDirectory.byteLimit) characters")
        }
        let isSpoiled = alias.localpart.string.unicodeScalars.contains { $0.properties.isWhitespace || $0 == ":" || $0.value == 0 }
        guard !isSpoiled else { throw .invalidParam("Invalid characters in room alias") }
    }

    /// Whether the operator's rules let `user` publish a new room with this alias. As in Synapse, a room that they do not let be
    /// published can be made nevertheless.
    ///
    /// - Throws: `M_FORBIDDEN` when they do not let it have the alias.
    func mayPublishNewRoom(alias: RoomAlias?, by user: UserID) throws(MatrixError) -> Bool {
        if let alias { try policy.checkMayCreate(alias, for: nil, by: user) }
        do {
            try policy.checkMayPublish(nil, aliases: alias.map { [$0] } ?? [], by: user)
            return true
        } catch {
            return false
        }
    }

    // MARK: The canonical alias

    /// Every alias that a new canonical alias event adds must name this room; those that were there already may stay.
    ///
    /// - Throws: `M_BAD_ALIAS`, `M_INVALID_PARAM`.
    package func checkCanonicalAlias(_ content: JSON, in room: Room) async throws {
        let added = try AliasDirectory.aliases(in: content)
        guard !added.isEmpty else { return }
        let present = try await currentCanonicalAlias(of: room).map { AliasDirectory.readableAliases(in: $0) } ?? []
        var remoteCount = 0
        for text in added where !present.contains(text) {
            let alias: RoomAlias
            do { alias = try RoomAlias(parsing: text.string) } catch { throw MatrixError(error) }
            if !alias.belongs(to: environment.serverName) { remoteCount += 1 }
            guard remoteCount <= AliasDirectory.remoteLimit else { throw MatrixError.badAlias("Too many aliases of other servers at once") }
            guard try await lookUp(alias)?.room == room.id else {
                throw MatrixError.badAlias("Room alias \(alias) does not point to the room")
            }
        }
    }

    private static func aliases(in content: JSON) throws(MatrixError) -> [ByteString] {
        var found: [ByteString] = []
        if let alias = content["alias"], !alias.isNull {
            guard let text = alias.byteString else { throw .invalidParam("alias must be a string") }
            if text != "" { found.append(text) }
        }
        if let others = content["alt_aliases"], !others.isNull {
            guard others.isArray else { throw .invalidParam("The alt_aliases property must be a list") }
            for other in others.elements {
                guard let text = other.byteString else { throw .invalidParam("alt_aliases must be strings") }
                found.append(text)
            }
        }
        return found
    }

    /// The aliases of an event that is stored: what it should not say counts as nothing.
    private static func readableAliases(in content: JSON) -> Set<ByteString> {
        var found = Set(content["alt_aliases"]?.elements.compactMap(\.byteString) ?? [])
        if let alias = content["alias"]?.byteString { found.insert(alias) }
        return found
    }

    private func currentCanonicalAlias(of room: Room) async throws -> JSON? {
        guard let entry = room.current.entry(.canonicalAlias) else { return nil }
        return try await EventReader(environment: environment).event(entry.nid)?.content()
    }

    private func removeFromCanonicalAlias(_ alias: RoomAlias, of room: Room, by origin: EventOrigin) async throws {
        guard let current = try await currentCanonicalAlias(of: room),
            AliasDirectory.readableAliases(in: current).contains(alias.text)
        else { return }
        var content = JSONObject(current)
        if content["alias"]?.string.map({ ByteString($0) }) == alias.text { content["alias"] = nil }
        if let others = content["alt_aliases"]?.array {
            let rest = others.filter { $0.string.map { ByteString($0) } != alias.text }
            content["alt_aliases"] = rest.isEmpty ? nil : .array(rest)
        }
        do {
            try await room.send(
                EventDraft(type: StateKey.canonicalAlias.type, stateKey: "", content: content, sender: origin.user), from: origin)
        } catch let error as MatrixError {
            environment.logger.info("the canonical alias event stays as it was", metadata: ["error": "\(error)"])
        }
    }
}

extension RoomSnapshot {
    /// Whether a member may set the canonical alias; who may do that decides about the room's aliases and its place in the room directory.
    package func maySetCanonicalAlias(_ user: UserID) -> Bool {
        membership(of: user) == .join
            && powerLevels.level(of: user) >= powerLevels.required(toSend: StateKey.canonicalAlias.type, isState: true)
    }
}
