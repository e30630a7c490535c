// The events that a new room begins with, in the order of the specification. Client-Server API §Creation.

import MatrixCore

/// What this server decides about new rooms where the client does not.
package struct RoomCreationPolicy: Sendable {
    package let defaultVersion: RoomVersion
    /// The presets whose rooms are encrypted from the start (`encryption_enabled_by_default_for_room_type`).
    package let encryptedPresets: Set<RoomPreset>

    package init(defaultVersion: RoomVersion = .v12, encryptedPresets: Set<RoomPreset> = []) {
        self.defaultVersion = defaultVersion
        self.encryptedPresets = encryptedPresets
    }
}

/// Decides the events of a new room. A value: it knows the request and nothing else.
struct RoomPlan: Sendable {
    let request: CreateRoomRequest
    let creator: UserID
    let version: RoomVersion
    let alias: RoomAlias?
    let isEncrypted: Bool

    init(_ request: CreateRoomRequest, creator: UserID, alias: RoomAlias?, policy: RoomCreationPolicy) {
        self.request = request
        self.creator = creator
        self.alias = alias
        version = request.version ?? policy.defaultVersion
        isEncrypted = request.mayBeEncrypted && policy.encryptedPresets.contains(request.preset)
    }

    var create: EventDraft {
        var content = request.creationContent
        content["room_version"] = .string(version.id)
        content["creator"] = version.creatorFromSender ? nil : .string(creator.string)
        if version.creatorsHaveInfinitePower, request.preset.inviteesHaveCreatorsPower, !request.invites.isEmpty {
            var creators = content["additional_creators"]?.array ?? []
            for invitee in request.invites {
                let value = JSONValue.string(invitee.string)
                if !creators.contains(value) { creators.append(value) }
            }
            content["additional_creators"] = .array(creators)
        }
        return EventDraft(type: "m.room.create", stateKey: "", content: content, sender: creator)
    }

    /// What the specification forbids and the authorization rules do not see.
    ///
    /// - Throws: `M_INVALID_ROOM_STATE`, `M_BAD_ALIAS`.
    func check() throws(MatrixError) {
        // Who made the room without power could send nothing into it.
        if !version.creatorsHaveInfinitePower, let users = request.powerLevelOverride["users"]?.object, users[creator.text] == nil {
            throw .invalidRoomState("Not a valid power_level_content_override: 'users' did not contain \(creator)")
        }
        // Only the alias that is made with the room can point to it.
        guard let content = initial(.canonicalAlias) else { return }
        let names = [content["alias"]].compactMap { $0 } + (content["alt_aliases"]?.array ?? [])
        for name in names where name.string.map({ ByteString($0) }) != alias?.text && name != "" && !name.isNull {
            throw .badAlias("Room alias \(name.string ?? "") does not point to the room")
        }
    }

    /// Everything between the create event and the invites.
    /// - Parameter profile: the creator's name and picture.
    func state(profile: JSONObject) -> [EventDraft] {
        var member = profile
        member["membership"] = "join"
        var drafts = [draft(.member(creator), member)]
        drafts.append(draft(.powerLevels, initial(.powerLevels) ?? powerLevels))
        if let alias, initial(.canonicalAlias) == nil {
            drafts.append(draft(.canonicalAlias, ["alias": .string(alias.string)]))
        }
        drafts += presetDrafts
        drafts += request.initialState.filter { $0.key != .powerLevels }.map { draft($0.key, $0.content) }
        if isEncrypted, initial(.encryption) == nil {
            drafts.append(draft(.encryption, ["algorithm": "m.megolm.v1.aes-sha2"]))
        }
        if let name = request.name { drafts.append(draft(.name, ["name": .string(name)])) }
        if let topic = request.topic { drafts.append(draft(.topic, RoomTopic.content(topic))) }
        return drafts
    }

    /// - Parameter profile: the invitee's name and picture.
    func invite(of user: UserID, profile: JSONObject) -> EventDraft {
        var content = profile
        content["membership"] = "invite"
        if request.isDirect { content["is_direct"] = true }
        return draft(.member(user), content)
    }

    /// What the preset says, where `initial_state` does not say it.
    private var presetDrafts: [EventDraft] {
        var drafts: [EventDraft] = []
        let preset = request.preset
        if initial(.joinRules) == nil { drafts.append(draft(.joinRules, ["join_rule": .string(preset.joinRule)])) }
        if initial(.historyVisibility) == nil {
            drafts.append(draft(.historyVisibility, ["history_visibility": .string(preset.historyVisibility)]))
        }
        if preset.guestsCanJoin, initial(.guestAccess) == nil {
            drafts.append(draft(.guestAccess, ["guest_access": "can_join"]))
        }
        return drafts
    }

    private var powerLevels: JSONObject {
        var content = PowerLevels.defaultContent(creator: creator, version: version)
        if request.preset.inviteesHaveCreatorsPower, !version.creatorsHaveInfinitePower {
            var users = content["users"]?.object ?? [:]
            for invitee in request.invites { users[invitee.string] = 100 }
            content["users"] = .object(users)
        }
        for (key, value) in request.preset.powerLevels { content[key] = value }
        if var events = content["events"]?.object {
            for (type, level) in request.preset.eventLevels { events[type] = level }
            content["events"] = .object(events)
        }
        for (key, value) in request.powerLevelOverride { content[key] = value }
        return content
    }

    private func initial(_ key: StateKey) -> JSONObject? { request.initialState.last { $0.key == key }?.content }

    private func draft(_ key: StateKey, _ content: JSONObject) -> EventDraft {
        EventDraft(type: key.type, stateKey: key.stateKey, content: content, sender: creator)
    }
}

/// What a room is about. Client-Server API §m.room.topic.
package enum RoomTopic {
    /// The text, and its representations.
    package static func content(_ topic: String) -> JSONObject {
        ["topic": .string(topic), "m.topic": .object(["m.text": .array([.object(["body": .string(topic)])])])]
    }
}
