// What an upgrade puts into the old room. Client-Server API §Room upgrades.

import MatrixCore

/// Decides the events that close a room: the tombstone, and, as far as the upgrader may, aliases that are given up and power levels by
/// which nobody goes on talking.
struct ClosingPlan: Sendable {
    let upgrader: UserID
    let replacement: RoomID
    /// Of the old room's events, as far as it has them.
    let canonicalAlias: JSONObject?
    let powerLevels: JSONObject?

    /// The keys whose events the plan has to know.
    static let wantedKeys: [StateKey] = [.canonicalAlias, .powerLevels]

    /// The level at which talking and inviting stop is at least this.
    private static let moderatorLevel: Int64 = 50

    func drafts(in room: RoomSnapshot, isLocal: (String) -> Bool) -> [EventDraft] {
        let tombstone: JSONObject = ["body": "This room has been replaced", "replacement_room": .string(replacement.string)]
        var drafts = [draft(.tombstone, tombstone)]
        if let canonicalAlias, may(set: .canonicalAlias, in: room) {
            let alias = CanonicalAlias(canonicalAlias)
            if alias.moved(where: isLocal) != nil { drafts.append(draft(.canonicalAlias, alias.kept(where: isLocal))) }
        }
        if let raised = raisedLevels(in: room) { drafts.append(draft(.powerLevels, raised)) }
        return drafts
    }

    /// The power levels with talking and inviting out of reach of ordinary members; nil when they are, or the upgrader cannot change it.
    private func raisedLevels(in room: RoomSnapshot) -> JSONObject? {
        guard let powerLevels, may(set: .powerLevels, in: room) else { return nil }
        var levels = PowerLevelContent(repairing: powerLevels, in: room.version)
        let restricted = min(max(levels.level(.usersDefault) + 1, ClosingPlan.moderatorLevel), JSONNumber.maxInteger)
        let own = room.powerLevels.level(of: upgrader)
        guard .finite(restricted) <= own else { return nil }
        var isRaised = false
        for property in [PowerLevels.Property.invite, .eventsDefault] where levels.level(property) < restricted {
            levels.set(restricted, for: property)
            isRaised = true
        }
        return isRaised ? levels.object : nil
    }

    private func may(set key: StateKey, in room: RoomSnapshot) -> Bool {
        room.powerLevels.level(of: upgrader) >= room.powerLevels.required(toSend: key.type, isState: true)
    }

    private func draft(_ key: StateKey, _ content: JSONObject) -> EventDraft {
        EventDraft(type: key.type, stateKey: key.stateKey, content: content, sender: upgrader)
    }
}
