// All push rules of a user. Client-Server API §Push Rules.

/// The server's rules and the user's in the order in which they are tried.
package struct PushRuleset: Sendable, Hashable {
    /// By kind, then by importance, most important first.
    package let rules: [PushRule]
    /// Whether an enabled rule looks for the user's display name.
    package let usesDisplayName: Bool
    /// Whether an enabled rule asks which threads the user follows; never where users cannot.
    package let usesThreadSubscriptions: Bool

    /// Merges what `user` changed into the rules that everybody has. `.m.rule.master` comes first, then for each kind the
    /// user's own rules before the server's.
    ///
    /// - Parameter hasThreadSubscriptions: whether users may follow threads, and have the rules about them (MSC4306).
    package init(user: UserID, changes: PushRuleChanges = PushRuleChanges(), hasThreadSubscriptions: Bool = false) {
        func changed(_ rule: PushRule) -> PushRule {
            guard let setting = changes.setting(rule.kind, rule.id) else { return rule }
            var rule = rule
            if let isEnabled = setting.isEnabled { rule.isEnabled = isEnabled }
            if let actions = setting.actions { rule.actions = actions }
            return rule
        }
        let defaults = DefaultPushRules.rules(for: user) + (hasThreadSubscriptions ? DefaultPushRules.threads : [])
        var rules = [changed(DefaultPushRules.master)]
        for kind in PushRule.Kind.allCases {
            rules += changes.rules.filter { $0.kind == kind }
            rules += defaults.filter { $0.kind == kind }.map(changed)
        }
        self.rules = rules
        let tests = rules.lazy.filter(\.isEnabled).flatMap(\.conditions).map(\.test)
        usesDisplayName = tests.contains(.containsDisplayName)
        usesThreadSubscriptions = hasThreadSubscriptions && tests.contains { if case .threadSubscription = $0 { true } else { false } }
    }

    package func rule(_ kind: PushRule.Kind, _ id: ByteString) -> PushRule? {
        rules.first { $0.kind == kind && $0.id == id }
    }

    package func rules(of kind: PushRule.Kind) -> [PushRule] {
        rules.filter { $0.kind == kind }
    }

    // MARK: The JSON of the API

    /// `{"global": …}`: GET /pushrules/ and the content of `m.push_rules`.
    package var json: [UInt8] {
        var writer = JSONWriter(capacity: 4096)
        writer.object { writer in
            writer.key("global")
            write(to: &writer)
        }
        return writer.bytes
    }

    /// The global ruleset: GET /pushrules/global/.
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            for kind in PushRule.Kind.allCases {
                // The specification does not have this kind: only who has rules of it is shown it.
                if kind == .postcontent, !rules.contains(where: { $0.kind == kind }) { continue }
                writer.member(
                    kind.rawValue,
                    array: { writer in
                        for rule in rules where rule.kind == kind { rule.write(to: &writer) }
                    })
            }
        }
    }
}
