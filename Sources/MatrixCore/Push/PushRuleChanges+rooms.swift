// Push rules that name a room, when another room takes its place. Client-Server API §Room upgrades, §Push Rules.

extension PushRule {
    /// Whether the rule is enabled and holds for events of this room only.
    package func concerns(_ room: RoomID) -> Bool { isEnabled && !isDefault && conditions.contains { $0.names(room) } }
}

extension PushCondition {
    fileprivate func names(_ room: RoomID) -> Bool {
        json["key"]?.string == "room_id" && json["pattern"]?.string.map { ByteString($0) } == room.text
    }

    /// The condition with another room.
    fileprivate func naming(_ room: RoomID) -> PushCondition {
        guard json["key"]?.string == "room_id", var object = json.object else { return self }
        object["pattern"] = .string(room.string)
        return PushCondition(json: .object(object))
    }
}

extension PushRuleChanges {
    /// Adds for `new` what the user has set for `old`: each rule that names the old room, once more with the id of the new one.
    package mutating func copyRules(of old: RoomID, to new: RoomID) throws(MatrixError) {
        // The last one is put first, so that they keep their order.
        for rule in rules.reversed() where rule.concerns(old) {
            try put(
                PushRule(
                    rule.kind, new.text, conditions: rule.conditions.map { $0.naming(new) }, pattern: rule.pattern, actions: rule.actions))
        }
    }
}
