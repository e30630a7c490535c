// What an upgrade puts into the room that takes the place of an old one. Client-Server API §Room upgrades.

import MatrixCore

/// Decides the events of the new room. A value: it knows the old room's state and nothing else.
struct UpgradePlan: Sendable {
    let upgrader: UserID
    /// Of the new room.
    let version: RoomVersion
    /// Who stands beside the upgrader above all power levels, since room version 12.
    let additionalCreators: [UserID]
    /// The old room, before it was closed.
    let old: RoomSnapshot

    /// The new room's create event.
    ///
    /// - Parameter tombstone: the event by which the old room was closed; a create event that decides its room's id comes before that.
    func create(tombstone: EventID?) -> EventDraft {
        let oldContent = old.createEvent.content()
        var predecessor: JSONObject = ["room_id": .string(old.roomID.string)]
        predecessor["event_id"] = tombstone.map { .string($0.string) }
        var content: JSONObject = ["room_version": .string(version.id), "predecessor": .object(predecessor)]
        content["creator"] = version.creatorFromSender ? nil : .string(upgrader.string)
        if !old.federates { content["m.federate"] = false }
        content["type"] = oldContent["type"]?.string.map { .string($0) }
        if version.creatorsHaveInfinitePower, !additionalCreators.isEmpty {
            content["additional_creators"] = .array(additionalCreators.map { .string($0.string) })
        }
        return EventDraft(type: "m.room.create", stateKey: "", content: content, sender: upgrader)
    }

    // MARK: What is carried over

    /// The state that a new room takes over, besides its power levels and canonical alias.
    private static let carriedKeys: [StateKey] = [
        .joinRules, .historyVisibility, .guestAccess, .name, .topic, .avatar, .encryption, .serverACL,
    ]

    /// What holds in the new room where the old one says nothing.
    private static let defaults: [StateKey: JSONObject] = [
        .joinRules: ["join_rule": "invite"], .historyVisibility: ["history_visibility": "shared"],
        .guestAccess: ["guest_access": "can_join"],
    ]

    private static let spaceType: ByteString = "m.space"
    private static let spaceChildType: ByteString = "m.space.child"

    /// The keys whose events the plan has to know. A space takes its children along, and every room those it has banned.
    var wantedKeys: [StateKey] {
        var keys = UpgradePlan.carriedKeys + [.powerLevels, .canonicalAlias]
        let isSpace = CreateEvent(old.createEvent).roomType == UpgradePlan.spaceType
        for (key, entry) in old.state where entry.membership == .ban || (isSpace && key.type == UpgradePlan.spaceChildType) {
            keys.append(key)
        }
        return keys
    }

    /// Everything after the create event.
    ///
    /// - Parameters:
    ///   - contents: of the wanted keys, as far as the old room has them.
    ///   - profile: the upgrader's name and picture.
    ///   - isLocal: whether an alias is one of this server, which can be moved.
    func state(_ contents: [StateKey: JSONObject], profile: JSONObject, isLocal: (String) -> Bool) -> [EventDraft] {
        let final = powerLevels(contents[.powerLevels])
        var working = final
        // The upgrader may set all this up, whatever they may do afterwards.
        if !version.creatorsHaveInfinitePower, working.level(of: upgrader) < working.levelForEverything {
            working.set(working.levelForEverything, of: upgrader)
        }
        var member = profile
        member["membership"] = "join"
        var drafts = [draft(.member(upgrader), member), draft(.powerLevels, working.object)]
        for key in UpgradePlan.carriedKeys {
            if let content = contents[key] ?? UpgradePlan.defaults[key] { drafts.append(draft(key, content)) }
        }
        for (key, content) in contents.sorted(by: { $0.key < $1.key }) where key.type == UpgradePlan.spaceChildType && !content.isEmpty {
            drafts.append(draft(key, content))
        }
        drafts += bans(contents, working)
        if let alias = contents[.canonicalAlias].flatMap({ CanonicalAlias($0).moved(where: isLocal) }) {
            drafts.append(draft(.canonicalAlias, alias))
        }
        if final != working { drafts.append(draft(.powerLevels, final.object)) }
        return drafts
    }

    private func powerLevels(_ content: JSONObject?) -> PowerLevelContent {
        var levels = PowerLevelContent(
            repairing: content ?? PowerLevels.defaultContent(creator: upgrader, version: version), in: old.version)
        if version.creatorsHaveInfinitePower {
            // Creators stand above the levels and must not be among them.
            for creator in [upgrader] + additionalCreators { levels.set(nil, of: creator) }
        } else {
            // Who stood above the levels in the old room gets the highest one.
            for creator in old.powerLevels.infiniteUsers { levels.set(max(100, levels.levelForEverything), of: creator) }
        }
        return levels
    }

    /// Those banned, but for whom the levels of the new room would protect.
    private func bans(_ contents: [StateKey: JSONObject], _ levels: PowerLevelContent) -> [EventDraft] {
        var drafts: [EventDraft] = []
        for (key, entry) in old.state where entry.membership == .ban {
            guard let content = contents[key], content["membership"] == "ban" else { continue }
            let user = UserID(trusted: key.stateKey.string)
            if version.creatorsHaveInfinitePower {
                guard user != upgrader, !additionalCreators.contains(user) else { continue }
            } else {
                guard levels.level(of: user) < levels.level(of: upgrader) else { continue }
            }
            drafts.append(draft(key, content))
        }
        return drafts
    }

    private func draft(_ key: StateKey, _ content: JSONObject) -> EventDraft {
        EventDraft(type: key.type, stateKey: key.stateKey, content: content, sender: upgrader)
    }
}

/// The content of `m.room.canonical_alias`, divided between two rooms.
struct CanonicalAlias {
    let content: JSONObject

    init(_ content: JSONObject) {
        self.content = content
    }

    /// What goes to the new room; nil when nothing does.
    func moved(where isLocal: (String) -> Bool) -> JSONObject? {
        var moved: JSONObject = [:]
        if let alias = content["alias"]?.string, isLocal(alias) { moved["alias"] = .string(alias) }
        let others = (content["alt_aliases"]?.array ?? []).filter { $0.string.map(isLocal) == true }
        if !others.isEmpty { moved["alt_aliases"] = .array(others) }
        return moved.isEmpty ? nil : moved
    }

    /// What stays in the old room.
    func kept(where isLocal: (String) -> Bool) -> JSONObject {
        var kept = content
        if let alias = content["alias"]?.string, isLocal(alias) { kept["alias"] = nil }
        if let others = content["alt_aliases"]?.array {
            let rest = others.filter { $0.string.map(isLocal) != true }
            kept["alt_aliases"] = rest.isEmpty ? nil : .array(rest)
        }
        return kept
    }
}
