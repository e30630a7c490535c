// A push rule. Client-Server API §Push Rules.

/// One rule of a user's ruleset.
package struct PushRule: Sendable, Hashable {
    package let kind: Kind
    /// The `rule_id`. Rules of the server start with a dot.
    package let id: ByteString
    package var isEnabled: Bool
    /// What the rule says, or what its kind implies.
    package let conditions: [PushCondition]
    /// The `pattern` of `content` rules.
    package let pattern: String?
    /// As stored: `notify`, `{"set_tweak": …}`, and the historical actions which mean nothing.
    package var actions: [JSONValue]

    /// The kinds of rules, from the most important on.
    package enum Kind: String, Sendable, CaseIterable {
        case override
        case content
        /// MSC4306: rules of the server's only, about threads that the user follows.
        case postcontent
        case room
        case sender
        case underride

        /// Whether rules of this kind say when they match; for the others it follows from the id or the pattern.
        var statesConditions: Bool {
            switch self {
            case .override, .postcontent, .underride: true
            case .content, .room, .sender: false
            }
        }
    }

    /// Whether the rule is the server's.
    package var isDefault: Bool { Self.isReserved(id) }

    /// Whether only the server has rules of this id.
    package static func isReserved(_ id: ByteString) -> Bool { id.hasPrefix(".") }

    init(
        _ kind: Kind, _ id: ByteString, isEnabled: Bool = true, conditions: [PushCondition], pattern: String? = nil,
        actions: [JSONValue]
    ) {
        self.kind = kind
        self.id = id
        self.isEnabled = isEnabled
        self.conditions = conditions
        self.pattern = pattern
        self.actions = actions
    }
}

// MARK: - The JSON of the API

extension PushRule {
    /// How long a pattern may be, in UTF-8 bytes. Our own limit: the specification sets none, and a rule of one user must not
    /// keep the server busy.
    package static let patternByteLimit = 1024

    /// The rule that a client describes in PUT /pushrules/global/{kind}/{ruleId}. It is enabled.
    ///
    /// - Throws: `M_INVALID_PARAM` for a reserved or malformed id, `M_MISSING_PARAM` and `M_BAD_JSON` for the description.
    package init(_ kind: Kind, id: ByteString, json: JSON) throws(MatrixError) {
        guard !Self.isReserved(id) else {
            throw .invalidParam("Rule ids that start with a dot are the server's")
        }
        guard !id.isEmpty, !id.string.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }) else {
            throw .invalidParam("A rule id is not empty and has no slashes")
        }
        guard json.isObject else { throw .badJSON("A push rule must be an object") }

        var conditions: [PushCondition] = []
        var pattern: String?
        switch kind {
        case .override, .underride:
            conditions = try Self.conditions(json["conditions"])
        case .content:
            guard let value = json["pattern"] else { throw .missingParam("A content rule needs a pattern") }
            guard let text = value.string else { throw .badJSON("pattern must be a string") }
            pattern = text
            conditions = [.eventMatch("content.body", text)]
        case .postcontent:
            throw .invalidParam("Rules of the kind postcontent are the server's")
        case .room:
            conditions = [.eventMatch("room_id", id.string)]
        case .sender:
            conditions = [.eventMatch("sender", id.string)]
        }
        try Self.checkPatterns(conditions)
        self.init(
            kind, id, conditions: conditions, pattern: pattern, actions: try Self.actions(json["actions"]))
    }

    /// The actions of a rule, checked. Also the body of PUT …/actions.
    package static func actions(_ json: JSON?) throws(MatrixError) -> [JSONValue] {
        guard let json else { throw .missingParam("Missing actions") }
        guard json.isArray else { throw .badJSON("actions must be a list") }
        var actions: [JSONValue] = []
        for action in json.elements {
            let isNamed = ["notify", "dont_notify", "coalesce"].contains { action.isString($0) }
            guard isNamed || action["set_tweak"]?.isString == true else {
                throw .badJSON("An action must be notify or have set_tweak")
            }
            actions.append(action.value)
        }
        return actions
    }

    private static func conditions(_ json: JSON?) throws(MatrixError) -> [PushCondition] {
        // Without conditions a rule matches every event.
        guard let json else { return [] }
        guard json.isArray else { throw .badJSON("conditions must be a list") }
        var conditions: [PushCondition] = []
        for condition in json.elements {
            guard condition["kind"]?.isString == true else { throw .badJSON("A condition needs a kind") }
            conditions.append(PushCondition(json: condition.value))
        }
        return conditions
    }

    private static func checkPatterns(_ conditions: [PushCondition]) throws(MatrixError) {
        for condition in conditions where condition.json["pattern"]?.string?.utf8.count ?? 0 > patternByteLimit {
            throw .invalidParam("A pattern has at most \(patternByteLimit) bytes")
        }
    }

    /// The rule as GET /pushrules shows it.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("rule_id", id)
            writer.member("default", isDefault)
            writer.member("enabled", isEnabled)
            if kind.statesConditions {
                writer.member("conditions", .array(conditions.map(\.json)))
            }
            if let pattern { writer.member("pattern", pattern) }
            writer.member("actions", .array(actions))
        }
    }
}
