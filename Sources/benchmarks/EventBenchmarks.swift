// What an event costs on its way in and on its way out.

import MatrixCore

func eventBenchmarks(_ report: inout Report) throws {
    let event = try Sample.message()
    let json = event.json
    let key = Sample.key.verifyKey
    let signed = try event.signedBytes()
    let signature = try event.signatures(of: Sample.server)[0].signature

    var keys = ServerKeys()
    keys[Sample.server, ByteString(Sample.key.keyID)] = ServerKey(key, validUntil: Timestamp(milliseconds: .max))

    // What a server does with an event that arrives. Server-Server API §Checks performed on receipt of a PDU, steps 1 to 3.
    func receive() throws -> Int {
        let received = try Event(parsing: json, version: .v11)
        return EventSignatures.verdict(on: received, keys: keys) == .intact ? Int(received.depth) : 0
    }
    guard try receive() == 3 else { preconditionFailure("the sample is not a valid event") }

    let times = try Stopwatch.seconds([receive, { key.verify(signature, of: signed) ? 1 : 0 }])
    let ratio = times[0] / times[1]
    report.row(
        "parse, validate, hash and verify a PDU of \(json.count) bytes", Figure.time(times[0]),
        baseline: "Ed25519 verification \(Figure.time(times[1]))", ratio: ratio, goal: .ratio(atMost: 1.3, ratio))

    let building = try Stopwatch.seconds([
        { Int(try Sample.message(after: [event.id], authEvents: event.authEvents).depth) },
        { try Sample.key.sign(signed).utf8.count },
    ])
    report.row(
        "build an event: canonical form, hashes, signature", Figure.time(building[0]),
        baseline: "Ed25519 signature \(Figure.time(building[1]))", ratio: building[0] / building[1])

    let rendered = ClientEventFormat.render(pdu: json, id: event.id, version: .v11)
    var writer = JSONWriter(capacity: 1 << 20)
    let pieces: [(String, Work)] = [
        ("read an event from the database's bytes", { Int(try Event(trusted: json, id: event.id, version: .v11).depth) }),
        ("read an event from another server's bytes", { Int(try Event(parsing: json, version: .v11).depth) }),
        ("render an event for clients", { ClientEventFormat.render(pdu: json, id: event.id, version: .v11).count }),
        (
            "splice a rendered event into a response",
            {
                if writer.bytes.count > 1_000_000 { writer.bytes.removeAll(keepingCapacity: true) }
                writer.openRaw(rendered)
                writer.member("unsigned", object: { $0.member("age", 12_345) })
                writer.close()
                return writer.bytes.count
            }
        ),
    ]
    for (name, work) in pieces { report.row(name, Figure.time(try Stopwatch.seconds(work))) }
}
