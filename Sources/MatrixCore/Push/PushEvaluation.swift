// What a user's push rules make of an event. Client-Server API §Push Rules.

/// The actions of the rule that decided.
package struct PushOutcome: Sendable, Hashable {
    /// Whether the event makes a notification, and so counts as unread.
    package let notifies: Bool
    /// Whether it counts as a highlight.
    package let highlights: Bool
    /// The tweaks for the push gateway.
    package let tweaks: JSONObject
    /// The actions as the rule has them, but for the historical ones, which mean nothing.
    package let actions: [JSONValue]

    /// No rule matched, or the one that did asks for nothing.
    package static let nothing = PushOutcome(actions: [])

    /// Reads a rule's actions. `dont_notify`, `coalesce` and whatever else is not understood mean nothing.
    package init(actions: [JSONValue]) {
        var notifies = false
        var tweaks: JSONObject = [:]
        for action in actions {
            if action == "notify" { notifies = true }
            guard let tweak = action["set_tweak"]?.string else { continue }
            if let value = action["value"] {
                tweaks[tweak] = value
            } else if tweak == "highlight" {
                // "If a highlight tweak is given with no value, its value is defined to be true."
                tweaks[tweak] = .bool(true)
            }
        }
        self.notifies = notifies
        self.actions = actions.filter { $0 != "dont_notify" && $0 != "coalesce" }
        self.tweaks = tweaks
        highlights = notifies && tweaks["highlight"] == true
    }
}

extension PushRuleset {
    /// What the rules make of `event`: the actions of the first enabled rule whose conditions all hold.
    ///
    /// A user's own events notify nobody, whatever the rules.
    ///
    /// - Parameters:
    ///   - user: whose rules these are.
    ///   - displayName: the user's in the room.
    ///   - followsThread: whether the user follows the event's thread (MSC4306); `nil` where it is in none or nobody can follow threads.
    package func evaluate(
        _ event: PushEvent, for user: UserID, displayName: String?, followsThread: Bool? = nil
    ) -> PushOutcome {
        if event.sender == user { return .nothing }
        let rule = rules.first { rule in
            rule.isEnabled
                && rule.conditions.allSatisfy { event.satisfies($0, displayName: displayName, followsThread: followsThread) }
        }
        return rule.map { PushOutcome(actions: $0.actions) } ?? .nothing
    }
}
