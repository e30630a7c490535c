// What a client asks for when it makes a room. Client-Server API §Creation, `POST /createRoom`.

import MatrixCore
import Persistence

/// The body of `POST /createRoom`, checked.
package struct CreateRoomRequest: Sendable {
    package var version: RoomVersion?
    package var isPublished = false
    package var preset: RoomPreset = .privateChat
    package var aliasName: String?
    package var name: String?
    package var topic: String?
    package var invites: [UserID] = []
    /// Those who are invited by an address, once the room is there.
    package var thirdPartyInvites: [ThirdPartyInvite] = []
    package var isDirect = false
    package var creationContent: JSONObject = [:]
    package var initialState: [InitialState] = []
    package var powerLevelOverride: JSONObject = [:]
    /// How the creator is called in this room; nil: as everywhere.
    package var creatorProfile: JSONObject?
    /// Whether `encryption_enabled_by_default_for_room_type` holds for the room.
    package var mayBeEncrypted = true

    package struct InitialState: Sendable {
        package let key: StateKey
        package let content: JSONObject

        package init(_ key: StateKey, _ content: JSONObject) {
            self.key = key
            self.content = content
        }
    }

    package init() {}

    /// - Throws: `M_BAD_JSON`, `M_INVALID_PARAM`, `M_INVALID_ROOM_STATE`, `M_UNSUPPORTED_ROOM_VERSION`.
    package init(_ body: JSON) throws(MatrixError) {
        let body = Body(json: body)
        if let name = try body.string("room_version") {
            guard let version = RoomVersion.named(name) else { throw .unsupportedRoomVersion }
            self.version = version
        }
        if let visibility = try body.string("visibility") {
            guard visibility == "public" || visibility == "private" else {
                throw .invalidParam("'\(visibility)' is not a valid visibility")
            }
            isPublished = visibility == "public"
        }
        preset = isPublished ? .publicChat : .privateChat
        if let name = try body.string("preset") {
            guard let preset = RoomPreset(rawValue: name) else { throw .badJSON("'\(name)' is not a valid preset") }
            self.preset = preset
        }
        aliasName = try body.string("room_alias_name")
        name = try body.string("name")
        topic = try body.string("topic")
        isDirect = try body.bool("is_direct") ?? false
        creationContent = try body.object("creation_content") ?? [:]
        powerLevelOverride = try body.object("power_level_content_override") ?? [:]
        for invite in try body.array("invite") {
            guard let user = invite.string.flatMap({ UserID(valid: $0) }) else { throw .invalidParam("Invalid user_id in invite") }
            if !invites.contains(user) { invites.append(user) }
        }
        initialState = try body.array("initial_state").map { json throws(MatrixError) in try InitialState(json) }
        thirdPartyInvites = try body.array("invite_3pid").map { json throws(MatrixError) in try ThirdPartyInvite(json) }
        _ = try CreateRoomRequest.additionalCreators(creationContent["additional_creators"])
    }

    /// The creators that a request adds. Rooms §Room version 12.
    ///
    /// - Throws: `M_BAD_JSON` for what is no list of user ids.
    package static func additionalCreators(_ value: JSONValue?) throws(MatrixError) -> [UserID] {
        guard let value else { return [] }
        guard let list = value.array else { throw .badJSON("additional_creators must be a list of user ids") }
        var creators: [UserID] = []
        for element in list {
            guard let creator = element.string.flatMap({ UserID(valid: $0) }) else {
                throw .badJSON("additional_creators must be a list of user ids")
            }
            if !creators.contains(creator) { creators.append(creator) }
        }
        return creators
    }
}

extension CreateRoomRequest.InitialState {
    fileprivate init(_ json: JSON) throws(MatrixError) {
        let body = Body(json: json)
        guard json.isObject, let type = try body.string("type"), let content = try body.object("content") else {
            throw .badJSON("An event of initial_state needs type and content")
        }
        key = StateKey(type: ByteString(type), stateKey: ByteString(try body.string("state_key") ?? ""))
        self.content = content
        guard key.type != "m.room.create" else { throw .invalidRoomState("initial_state cannot hold another create event") }
    }
}

/// An invite to whom an address belongs to. Client-Server API §Third-party invites.
package struct ThirdPartyInvite: Sendable, Equatable {
    /// The kind of the address, such as `email`.
    package let medium: String
    package let address: String
    /// The host, with a port where it is not 443, of the identity server that is asked.
    package let identityServer: ServerName
    /// By which the user is known there.
    package let accessToken: String

    /// - Throws: `M_MISSING_PARAM` unless all four members are there, `M_INVALID_PARAM` for what names no server.
    package init(_ json: JSON) throws(MatrixError) {
        guard let medium = json["medium"]?.string, let address = json["address"]?.string, let server = json["id_server"]?.string,
            let token = json["id_access_token"]?.string
        else {
            throw .missingParam("all of `medium`, `address`, `id_server` and `id_access_token` are required when making a 3pid invite")
        }
        guard let identityServer = ServerName(valid: server) else {
            throw .invalidParam("id_server must be a valid hostname with optional port and no path components")
        }
        guard medium.utf8.count <= ThirdPartyInvite.byteLimit, address.utf8.count <= ThirdPartyInvite.byteLimit else {
            throw .invalidParam("medium and address have at most \(ThirdPartyInvite.byteLimit) bytes")
        }
        (self.medium, self.address, self.identityServer, accessToken) = (medium, address, identityServer, token)
    }

    private static let byteLimit = 500
}

/// What a room starts with. Client-Server API §Creation, presets.
package enum RoomPreset: String, Sendable, CaseIterable {
    case privateChat = "private_chat"
    case trustedPrivateChat = "trusted_private_chat"
    case publicChat = "public_chat"

    var joinRule: String { self == .publicChat ? "public" : "invite" }
    var historyVisibility: String { "shared" }
    var guestsCanJoin: Bool { self != .publicChat }
    /// Everybody may invite to a private room.
    var powerLevels: JSONObject { self == .publicChat ? [:] : ["invite": 0] }
    /// In a room that all may join, not everybody can make everybody's phone ring.
    var eventLevels: JSONObject { self == .publicChat ? ["m.call.invite": 50] : [:] }
    var inviteesHaveCreatorsPower: Bool { self == .trustedPrivateChat }
}

/// Reads members of an object: nil when absent, an error when of the wrong type.
private struct Body {
    let json: JSON

    func string(_ key: String) throws(MatrixError) -> String? {
        guard let value = json[key], !value.isNull else { return nil }
        guard let text = value.string else { throw .badJSON("'\(key)' must be a string") }
        return text
    }

    func bool(_ key: String) throws(MatrixError) -> Bool? {
        guard let value = json[key], !value.isNull else { return nil }
        guard let flag = value.bool else { throw .badJSON("'\(key)' must be a boolean") }
        return flag
    }

    func object(_ key: String) throws(MatrixError) -> JSONObject? {
        guard let value = json[key], !value.isNull else { return nil }
        guard value.isObject else { throw .badJSON("'\(key)' must be an object") }
        return JSONObject(value)
    }

    func array(_ key: String) throws(MatrixError) -> [JSON] {
        guard let value = json[key], !value.isNull else { return [] }
        guard value.isArray else { throw .badJSON("'\(key)' must be an array") }
        return Array(value.elements)
    }
}
