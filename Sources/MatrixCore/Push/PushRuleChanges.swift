// What a user changed about their push rules. Client-Server API §Push Rules: API.

/// A user's own rules and their changes to the server's: all that has to be stored of a ruleset.
package struct PushRuleChanges: Sendable, Hashable {
    /// The user's rules, the more important of a kind before the less important.
    private(set) var rules: [PushRule] = []
    /// What the user set on the server's rules.
    private(set) var settings: [Setting] = []

    /// A change to one of the server's rules; `nil` leaves what the server says.
    struct Setting: Sendable, Hashable {
        let kind: PushRule.Kind
        let id: ByteString
        var isEnabled: Bool?
        var actions: [JSONValue]?
    }

    /// Where a new rule goes among the user's rules of its kind.
    package enum Place: Sendable, Hashable {
        case mostImportant
        /// The next more important rule than this one.
        case before(ByteString)
        /// The next less important rule than this one.
        case after(ByteString)

        /// The place that the query parameters of PUT /pushrules name; `before` wins.
        package init(before: String?, after: String?) {
            if let before {
                self = .before(ByteString(before))
            } else if let after {
                self = .after(ByteString(after))
            } else {
                self = .mostImportant
            }
        }
    }

    /// No changes.
    package init() {}

    package var isEmpty: Bool { rules.isEmpty && settings.isEmpty }

    func setting(_ kind: PushRule.Kind, _ id: ByteString) -> Setting? {
        settings.first { $0.kind == kind && $0.id == id }
    }
}

// MARK: - Changing

extension PushRuleChanges {
    /// Adds `rule`, or puts it in the place of the one with its id. A rule that is replaced stays disabled if it was.
    ///
    /// - Throws: `M_UNKNOWN` (400) when the rule that the place refers to is none of the user's of this kind.
    package mutating func put(_ rule: PushRule, at place: Place = .mostImportant) throws(MatrixError) {
        var rule = rule
        let previous = index(rule.kind, rule.id)
        let target = try index(of: place, for: rule)
        if let previous { rule.isEnabled = rules[previous].isEnabled }
        rules.insert(rule, at: target)
        if let previous { rules.remove(at: previous < target ? previous : previous + 1) }
    }

    private func index(of place: Place, for rule: PushRule) throws(MatrixError) -> Int {
        let (relative, offset): (ByteString, Int)
        switch place {
        case .mostImportant: return rules.firstIndex { $0.kind == rule.kind } ?? rules.endIndex
        case .before(let id): (relative, offset) = (id, 0)
        case .after(let id): (relative, offset) = (id, 1)
        }
        guard relative != rule.id, let index = index(rule.kind, relative) else {
            throw .unknown("before/after rule not found: \(relative)", status: 400)
        }
        return index + offset
    }

    /// Removes a rule of the user's.
    ///
    /// - Throws: `M_NOT_FOUND`; also for the server's rules, which cannot be removed.
    package mutating func remove(_ kind: PushRule.Kind, _ id: ByteString) throws(MatrixError) {
        rules.remove(at: try existing(kind, id))
    }

    /// - Throws: `M_NOT_FOUND` for a rule that neither the user nor the server has.
    package mutating func setEnabled(_ isEnabled: Bool, _ kind: PushRule.Kind, _ id: ByteString) throws(MatrixError) {
        if PushRule.isReserved(id) {
            settings[try settingIndex(kind, id)].isEnabled = isEnabled
        } else {
            rules[try existing(kind, id)].isEnabled = isEnabled
        }
    }

    /// - Parameter actions: checked by ``PushRule/actions(_:)``.
    /// - Throws: `M_NOT_FOUND` for a rule that neither the user nor the server has.
    package mutating func setActions(_ actions: [JSONValue], _ kind: PushRule.Kind, _ id: ByteString) throws(MatrixError) {
        if PushRule.isReserved(id) {
            settings[try settingIndex(kind, id)].actions = actions
        } else {
            rules[try existing(kind, id)].actions = actions
        }
    }

    private func index(_ kind: PushRule.Kind, _ id: ByteString) -> Int? {
        rules.firstIndex { $0.kind == kind && $0.id == id }
    }

    private func existing(_ kind: PushRule.Kind, _ id: ByteString) throws(MatrixError) -> Int {
        guard let index = index(kind, id) else { throw .notFound("Push rule not found") }
        return index
    }

    private mutating func settingIndex(_ kind: PushRule.Kind, _ id: ByteString) throws(MatrixError) -> Int {
        guard DefaultPushRules.contains(kind, id) else { throw .notFound("Push rule not found") }
        if let index = settings.firstIndex(where: { $0.kind == kind && $0.id == id }) { return index }
        settings.append(Setting(kind: kind, id: id))
        return settings.endIndex - 1
    }
}

// MARK: - Storing

extension PushRuleChanges {
    /// What ``json`` gave. Entries that are not understood, such as those of a later release, are left out.
    package init(stored json: JSON) {
        for entry in Self.elements(json["rules"]) {
            guard let (kind, id) = Self.name(of: entry) else { continue }
            rules.append(
                PushRule(
                    kind, id, isEnabled: entry["enabled"]?.bool ?? true,
                    conditions: Self.elements(entry["conditions"]).map { PushCondition(json: $0.value) },
                    pattern: entry["pattern"]?.string,
                    actions: Self.elements(entry["actions"]).map(\.value)))
        }
        for entry in Self.elements(json["settings"]) {
            guard let (kind, id) = Self.name(of: entry) else { continue }
            settings.append(
                Setting(
                    kind: kind, id: id, isEnabled: entry["enabled"]?.bool,
                    actions: entry["actions"].map { Self.elements($0).map(\.value) }))
        }
    }

    private static func elements(_ list: JSON?) -> [JSON] { list.map { Array($0.elements) } ?? [] }

    private static func name(of entry: JSON) -> (PushRule.Kind, ByteString)? {
        guard let kind = entry["kind"]?.string.flatMap(PushRule.Kind.init(rawValue:)), let id = entry["rule_id"]?.byteString else {
            return nil
        }
        return (kind, id)
    }

    /// The changes as one JSON object, to be stored.
    package var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member(
                "rules",
                array: { writer in
                    for rule in rules {
                        writer.object { writer in
                            writer.member("kind", rule.kind.rawValue)
                            writer.member("rule_id", rule.id)
                            writer.member("enabled", rule.isEnabled)
                            writer.member("conditions", .array(rule.conditions.map(\.json)))
                            if let pattern = rule.pattern { writer.member("pattern", pattern) }
                            writer.member("actions", .array(rule.actions))
                        }
                    }
                })
            writer.member(
                "settings",
                array: { writer in
                    for setting in settings {
                        writer.object { writer in
                            writer.member("kind", setting.kind.rawValue)
                            writer.member("rule_id", setting.id)
                            if let isEnabled = setting.isEnabled { writer.member("enabled", isEnabled) }
                            if let actions = setting.actions { writer.member("actions", .array(actions)) }
                        }
                    }
                })
        }
        return writer.bytes
    }
}
