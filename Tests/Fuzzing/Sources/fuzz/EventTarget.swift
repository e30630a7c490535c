// Events: what is accepted as a PDU has one ID, one canonical form, one redacted form.

import MatrixCore

extension FuzzTarget {
    /// An event is read by the rules of every room version.
    static let event = FuzzTarget(name: "event") { bytes in
        for version in RoomVersion.all {
            guard let event = accepted({ try Event(parsing: bytes, version: version) }) else { continue }
            examine(event)
        }
    }

    private static func examine(_ event: Event) {
        require(event.json.count <= Event.byteLimit, "the event is too large")
        require(event.type.count <= 4 * Event.fieldByteLimit, "the type is too long")
        let again = accepted { try Event(parsing: event.json, version: event.version) }
        require(again?.id == event.id && again?.json == event.json, "the canonical form is another event")
        let trusted = accepted { try Event(trusted: event.json, id: event.id, version: event.version) }
        require(trusted?.sender == event.sender && trusted?.key == event.key, "it is read differently from the database")

        guard let redacted = accepted({ try event.redacted() }) else { fatalError("it cannot be redacted") }
        require(accepted { try redacted.redacted().json } == redacted.json, "a redaction is not idempotent")
        require(accepted { try redacted.referenceHash() } == accepted { try event.referenceHash() }, "a redaction changes the event ID")

        let rendered = ClientEventFormat.render(pdu: event.json, id: event.id, version: event.version) + [UInt8(ascii: "}")]
        require(accepted { try JSONDocument(parsing: rendered, limits: .lenientEvent) } != nil, "the event for clients is no JSON")
        _ = accepted { try event.hasValidContentHash() }
        _ = accepted { try event.signatures(of: event.sender.server) }
        _ = accepted { try requiredSigners(of: event) }
        _ = authEventKeys(for: event)
    }

    /// A line is an event of a room; the first byte chooses the room version. Each is authorized by the state of those before it.
    static let room = FuzzTarget(name: "room") { bytes in
        guard let first = bytes.first else { return }
        let version = RoomVersion.all[Int(first) % RoomVersion.all.count]
        var state: [StateKey: Event] = [:]
        for line in bytes.dropFirst().split(separator: UInt8(ascii: "\n")).prefix(16) {
            guard let event = accepted({ try Event(parsing: Array(line), version: version) }) else { continue }
            let before = AuthEventState(events: state.values, version: version)
            let isAllowed = accepted { try authorize(event, against: before, version: version) } != nil
            _ = accepted { try checkAuthEvents(of: event, are: Array(state.values)) { $0.depth == 0 } }
            look(at: event, state: before)
            if isAllowed, let key = event.key { state[key] = event }
        }
    }

    /// Reads the content as everything that it could be.
    private static func look(at event: Event, state: AuthEventState) {
        let content = event.content()
        _ = CreateEvent(event)
        _ = JoinRules(content: content)
        let levels = PowerLevels(content: content, creators: [event.sender], version: event.version)
        _ = (levels.level(of: event.sender), levels.required(toSend: event.type, isState: event.isState))
        _ = state.membership(of: event.sender)
        _ = PushRuleset(user: event.sender).evaluate(
            PushEvent(event, memberCount: 2, powerLevels: levels), for: event.sender, displayName: content["displayname"]?.string)
    }
}
