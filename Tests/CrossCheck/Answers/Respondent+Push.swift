// Questions about push rules.

import MatrixCore

extension Respondent {
    /// What the rules of `user`, the default ones and those in `rules`, make of an event.
    func answerPush(_ question: JSON) -> JSONObject {
        guard let event = event(question["event"]), let user = question["user"]?.string.flatMap({ UserID(valid: $0) }) else {
            return ["error": "the event could not be read"]
        }
        var changes = PushRuleChanges()
        do {
            // Each is put before the others, so that the first of the list ends as the most important.
            for rule in (question["rules"]?.elements).map(Array.init)?.reversed() ?? [] {
                guard let kind = rule["kind"]?.string.flatMap(PushRule.Kind.init(rawValue:)), let id = rule["id"]?.byteString else {
                    return ["error": "not a rule"]
                }
                try changes.put(PushRule(kind, id: id, json: rule))
            }
        } catch {
            return ["error": .string("\(error)")]
        }
        let state = AuthEventState(events: events(question["state"]), version: version)
        let pushEvent = PushEvent(event, memberCount: Int(question["members"]?.int ?? 0), powerLevels: state.powerLevels)
        let displayName = question["display_name"]?.string
        let outcome = PushRuleset(user: user, changes: changes).evaluate(pushEvent, for: user, displayName: displayName)
        return [
            "notifies": .bool(outcome.notifies), "highlights": .bool(outcome.highlights), "tweaks": .object(outcome.tweaks),
        ]
    }
}
