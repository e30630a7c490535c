// Who may join a room. Client-Server API §m.room.join_rules.

/// A room's `m.room.join_rules`.
package struct JoinRules: Sendable, Hashable {
    package let rule: Rule
    /// The conditions of `restricted` and `knock_restricted`. Conditions of unknown types let nobody in and are left out.
    package let allow: [AllowCondition]

    package enum Rule: String, Sendable, Hashable {
        case `public`
        case invite
        case knock
        case restricted
        case knockRestricted = "knock_restricted"
        case `private`
        /// A value that no room version defines. Nobody can join by it.
        case unknown
    }

    package enum AllowCondition: Sendable, Hashable {
        /// Members of this room may join.
        case roomMembership(RoomID)
    }

    /// What holds in a room without join rules.
    package static let inviteOnly = JoinRules(rule: .invite)

    package init(rule: Rule, allow: [AllowCondition] = []) {
        self.rule = rule
        self.allow = allow
    }

    /// - Parameter content: the content of the join rules event; `nil` when the room has none.
    package init(content: JSON?) {
        guard let rule = content?["join_rule"] else {
            self = .inviteOnly
            return
        }
        self.rule = rule.string.flatMap(Rule.init(rawValue:)) ?? .unknown
        var allow: [AllowCondition] = []
        if let conditions = content?["allow"] {
            for condition in conditions.elements where condition["type"]?.string == "m.room_membership" {
                guard let text = condition["room_id"]?.string, let room = RoomID(valid: text) else { continue }
                allow.append(.roomMembership(room))
            }
        }
        self.allow = allow
    }

    /// Whether `version` gives the rule a meaning; the others let nobody in.
    func isKnown(in version: RoomVersion) -> Bool {
        switch rule {
        case .public, .invite, .private: true
        case .knock: version.knocking
        case .restricted: version.restrictedJoins
        case .knockRestricted: version.knockRestricted
        case .unknown: false
        }
    }
}

extension MatrixIdentifier {
    /// The identifier `text` spells, or `nil` when it spells none; for content where a malformed value counts as absent.
    package init?(valid text: String) {
        do {
            try self.init(parsing: text)
        } catch {
            return nil
        }
    }
}
