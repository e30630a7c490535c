// What it costs to decide whether an event is allowed. Rooms §Authorization rules.

import MatrixCore

func authorizationBenchmarks(_ report: inout Report) throws {
    var created: [Event] = []
    for (type, stateKey, content) in [
        ("m.room.create", "", #"{"room_version":"11"}"#),
        ("m.room.member", Sample.alice.string, #"{"membership":"join"}"#),
        ("m.room.power_levels", "", #"{"users":{"@alice:example.org":100}}"#),
    ] {
        created.append(
            try .build(
                EventDraft(type: ByteString(type), stateKey: ByteString(stateKey), content: Array(content.utf8), sender: Sample.alice),
                roomID: Sample.room, version: .v11, prevEvents: created.suffix(1).map(\.id), authEvents: created.map(\.id),
                depth: Int64(created.count + 1), originServerTimestamp: Sample.time, origin: Sample.server, key: Sample.key))
    }
    let authEvents = created
    let event = try Sample.message(after: authEvents.suffix(1).map(\.id), authEvents: authEvents.map(\.id))
    let state = AuthEventState(events: authEvents, version: .v11)
    let key = Sample.key.verifyKey
    let signed = try event.signedBytes()
    let signature = try event.signatures(of: Sample.server)[0].signature

    let times = try Stopwatch.seconds([
        {
            try authorize(event, against: state, version: .v11)
            return 1
        },
        {
            try authorize(event, against: AuthEventState(events: authEvents, version: .v11), version: .v11)
            return 1
        },
        { key.verify(signature, of: signed) ? 1 : 0 },
    ])
    let baseline = "Ed25519 verification \(Figure.time(times[2]))"
    for (name, time) in [("authorize a message against the room's state", times[0]), ("  against its auth events", times[1])] {
        report.row(name, Figure.time(time), baseline: baseline, ratio: time / times[2], goal: .time(atMost: 5e-6, time))
    }
}
