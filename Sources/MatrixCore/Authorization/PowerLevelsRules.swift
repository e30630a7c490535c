// Rule 10: power levels. Rooms v12 §Authorisation rules, rule 10 (rule 9 before version 12).

extension EventAuthorization {
    func checkPowerLevels(senderLevel: PowerLevel, create: Event) throws(AuthRejection) {
        let content = event.content()
        if version.integerPowerLevels {
            // 10.1 If any of the level properties are present and not an integer, reject.
            try checkProperties(of: content, "10.1")
            // 10.2 If events or notifications are present and not an object with values that are integers, reject.
            try checkEntries(of: content, ["events", "notifications"], "10.2")
        }
        // 10.3 If users is not an object with keys that are valid user IDs with values that are integers (before version 10: or a
        // string that is an integer), reject.
        if let users = content["users"] {
            guard isObjectOfLevels(users), users.members.allSatisfy({ UserID(valid: $0.key.string) != nil }) else {
                throw rejectMalformed("10.3", "users is not an object of integers by user id")
            }
        }
        let proposed = PowerLevels(content: content, creators: [], version: version)
        // 10.4 Version 12: if users contains any of the room's creators, reject.
        if version.creatorsHaveInfinitePower {
            for creator in CreateEvent(create).creators where proposed.users[creator.text] != nil {
                throw reject("10.4", "\(creator) created the room and cannot be given a power level")
            }
        }
        // 10.5 If there is no previous m.room.power_levels event in the room, allow.
        let current = state.powerLevels
        guard current.isPresent else { return }
        // The texts before version 10 do not say what a property that spells no level means. No server can compare it, as the
        // rules that follow ask, and none accepts it.
        if !version.integerPowerLevels {
            try checkProperties(of: content, "10.6")
            try checkEntries(of: content, version.limitsNotificationLevels ? ["events", "notifications"] : ["events"], "10.7")
        }

        let change = PowerLevelsChange(authorization: self, current: current, proposed: proposed, senderLevel: senderLevel)
        try change.checkProperties()
        try change.checkEntries()
        try change.checkUsers()
        // 10.11 Otherwise, allow.
    }

    private func checkProperties(of content: JSON, _ rule: String) throws(AuthRejection) {
        for property in PowerLevels.Property.allCases {
            if let value = content[property.name], version.level(value) == nil {
                throw rejectMalformed(rule, "\(property.name) is not an integer")
            }
        }
    }

    private func checkEntries(of content: JSON, _ names: [String], _ rule: String) throws(AuthRejection) {
        for name in names {
            if let object = content[name], !isObjectOfLevels(object) {
                throw rejectMalformed(rule, "\(name) is not an object of integers")
            }
        }
    }

    private func isObjectOfLevels(_ value: JSON) -> Bool {
        value.kind == .object && value.members.allSatisfy { version.level($0.value) != nil }
    }
}

/// The power levels in force and those which an event would put in their place.
private struct PowerLevelsChange<State: AuthorizationState> {
    let authorization: EventAuthorization<State>
    let current: PowerLevels
    let proposed: PowerLevels
    let senderLevel: PowerLevel

    /// 10.6 For each level property that was added, changed or removed.
    func checkProperties() throws(AuthRejection) {
        for property in PowerLevels.Property.allCases {
            let old = current.explicit(property)
            let new = proposed.explicit(property)
            if old == new { continue }
            // 10.6.1 If the current value is higher than the sender's current power level, reject.
            try require(old, atMost: senderLevel, "10.6.1", property.name)
            // 10.6.2 If the new value is higher than the sender's current power level, reject.
            try require(new, atMost: senderLevel, "10.6.2", property.name)
        }
    }

    /// 10.7 and 10.8, for the entries of `events` and `notifications`.
    func checkEntries() throws(AuthRejection) {
        try checkEntries(of: \.events)
        if authorization.version.limitsNotificationLevels {
            try checkEntries(of: \.notifications)
        }
    }

    private func checkEntries(of object: (PowerLevels) -> [ByteString: Int64]) throws(AuthRejection) {
        for (key, old, new) in changes(of: object) {
            // 10.7.1 For each entry being changed or removed: if the current value is greater than the sender's, reject.
            try require(old, atMost: senderLevel, "10.7.1", key.string)
            // 10.8.1 For each entry being added or changed: if the new value is greater than the sender's, reject.
            try require(new, atMost: senderLevel, "10.8.1", key.string)
        }
    }

    /// 10.9 and 10.10, for the entries of `users`.
    func checkUsers() throws(AuthRejection) {
        let sender = authorization.event.sender
        for (key, old, new) in changes(of: \.users) {
            // 10.9.1 For each entry being changed or removed, other than the sender's own: if the current value is greater
            // than or equal to the sender's current power level, reject.
            if let old, key != sender.text, .finite(old) >= senderLevel {
                throw authorization.reject("10.9.1", "\(sender) cannot change \(key), whose power level is as high as theirs")
            }
            // 10.10.1 For each entry being added or changed: if the new value is greater than the sender's, reject.
            try require(new, atMost: senderLevel, "10.10.1", key.string)
        }
    }

    /// The entries that differ, in the order of their keys so that the same event is always refused for the same reason.
    private func changes(
        of object: (PowerLevels) -> [ByteString: Int64]
    ) -> [(key: ByteString, old: Int64?, new: Int64?)] {
        let old = object(current)
        let new = object(proposed)
        var changes: [(key: ByteString, old: Int64?, new: Int64?)] = []
        for (key, value) in old where new[key] != value { changes.append((key, value, new[key])) }
        for (key, value) in new where old[key] == nil { changes.append((key, nil, value)) }
        return changes.sorted { $0.key < $1.key }
    }

    private func require(
        _ level: Int64?, atMost senderLevel: PowerLevel, _ rule: String, _ name: String
    ) throws(AuthRejection) {
        guard let level, .finite(level) > senderLevel else { return }
        throw authorization.reject(
            rule, "\(authorization.event.sender) has a power level of \(senderLevel) and cannot set \(name) from or to \(level)")
    }
}
