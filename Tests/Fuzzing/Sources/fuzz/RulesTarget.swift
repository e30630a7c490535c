// What users write for the server to evaluate: filters and push rules.

import MatrixCore

extension FuzzTarget {
    /// The first line is a filter, a push rule or its conditions; the rest is an event that they are tried on.
    static let rules = FuzzTarget(name: "rules") { bytes in
        let lines = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1)
        guard let first = lines.first, let json = accepted({ try JSONDocument(parsing: Array(first)).root }) else { return }
        let event = lines.count > 1 ? accepted { try JSONDocument(parsing: Array(lines[1]), limits: .lenientEvent).root } : nil
        tryFilter(json, on: event)
        for kind in PushRule.Kind.allCases { tryRule(kind, json, on: event) }
    }

    private static let alice = UserID(trusted: "@alice:example.org")
    private static let anyRoom = RoomID(trusted: "!room:example.org")

    private static func tryFilter(_ json: JSON, on event: JSON?) {
        guard let filter = accepted({ try Filter(json: json) }) else { return }
        guard let event else { return }
        let type = event["type"]?.byteString ?? ""
        _ = filter.room.rooms.passes(anyRoom)
        _ = filter.presence.passes(type: type, sender: alice)
        _ = filter.room.timeline.passes(type: type, sender: alice, room: anyRoom, content: event["content"])
        if let fields = filter.eventFields {
            var writer = JSONWriter()
            fields.write(event, to: &writer)
            require(accepted { try JSONDocument(parsing: writer.bytes, limits: .lenientEvent) } != nil, "a filtered event is no JSON")
        }
    }

    private static func tryRule(_ kind: PushRule.Kind, _ json: JSON, on event: JSON?) {
        guard let rule = accepted({ try PushRule(kind, id: "rule", json: json) }) else { return }
        var writer = JSONWriter()
        rule.write(to: &writer)
        require(accepted { try JSONDocument(parsing: writer.bytes) } != nil, "a push rule is no JSON")
        var changes = PushRuleChanges()
        guard accepted({ try changes.put(rule) }) != nil, let event else { return }
        let levels = PowerLevels(content: event["content"], creators: [alice], version: .v12)
        let subject = PushEvent(
            json: event, id: EventID(trusted: "$id"), roomID: anyRoom, type: event["type"]?.byteString ?? "",
            stateKey: event["state_key"]?.byteString, sender: alice, memberCount: event.count, powerLevels: levels)
        _ = PushRuleset(user: alice, changes: changes).evaluate(subject, for: alice, displayName: "Alice")
    }
}
