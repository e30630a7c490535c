// Signatures of received events. Server-Server API §Validating hashes and signatures on received events; Rooms v5 §Signing key
// validity period.

import MatrixCore
import Testing

@Suite("Signatures of events")
struct EventSignaturesTests {
    private static let server = ServerName(trusted: "a.example")
    private static let key = SigningKey.generate(version: "one")
    private static let keyID = ByteString(key.keyID)
    private static let sent = Timestamp(milliseconds: 1_000_000)

    private func message(_ body: String = "hello", version: RoomVersion = .v11, key: SigningKey = key) throws -> Event {
        let draft = EventDraft(
            type: "m.room.message", content: ["body": .string(body)] as JSONObject, sender: UserID(trusted: "@alice:a.example"))
        return try Event.build(
            draft, roomID: RoomID(trusted: "!room:a.example"), version: version, prevEvents: [EventID(trusted: "$previous")],
            authEvents: [], depth: 5, originServerTimestamp: Self.sent, origin: Self.server, key: key)
    }

    /// The event with something changed after it was signed.
    private func changed(_ event: Event, _ change: (inout JSONObject) -> Void) throws -> Event {
        var pdu = JSONObject(try event.document())
        change(&pdu)
        return try Event(trusted: pdu.canonicalBytes, id: event.id, version: event.version)
    }

    private func keys(validUntil: Timestamp = sent) -> ServerKeys {
        var keys = ServerKeys()
        keys[Self.server, Self.keyID] = ServerKey(Self.key.verifyKey, validUntil: validUntil)
        return keys
    }

    @Test("an event as its server signed it is intact")
    func intact() throws {
        #expect(EventSignatures.verdict(on: try message(), keys: keys()) == .intact)
    }

    @Test("without the sender's signature, a known key or the right key an event is refused")
    func refusals() throws {
        let event = try message()
        let unsigned = try changed(event) { $0["signatures"] = ["b.example": ["ed25519:one": "AAAA"]] }
        #expect(EventSignatures.verdict(on: unsigned, keys: keys()) == .refused(.missing(Self.server)))
        let otherAlgorithm = try changed(event) { $0["signatures"] = ["a.example": ["rot13:one": "AAAA"]] }
        #expect(EventSignatures.verdict(on: otherAlgorithm, keys: keys()) == .refused(.missing(Self.server)))
        #expect(EventSignatures.verdict(on: event, keys: ServerKeys()) == .refused(.noValidKey(Self.server)))
        let forged = try message(key: SigningKey.generate(version: "one"))
        #expect(EventSignatures.verdict(on: forged, keys: keys()) == .refused(.wrong(Self.server, keyID: Self.keyID)))
        let backdated = try changed(event) { $0["origin_server_ts"] = 5 }
        #expect(EventSignatures.verdict(on: backdated, keys: keys()) == .refused(.wrong(Self.server, keyID: Self.keyID)))
    }

    @Test("content that was changed is found out, and leaves the signature whole: the event is to be redacted")
    func alteredContent() throws {
        let event = try changed(message()) { $0["content"] = ["body": "something else"] }
        #expect(EventSignatures.verdict(on: event, keys: keys()) == .contentAltered)
    }

    @Test("a signature by a key that is not known does not matter beside one that is, a wrong one does")
    func severalSignatures() throws {
        let event = try message()
        let good = try #require(try event.signatures(of: Self.server).first?.signature)
        let withUnknown = try changed(event) {
            $0["signatures"] = ["a.example": ["ed25519:one": .string(good), "ed25519:unknown": "AAAA"]]
        }
        #expect(EventSignatures.verdict(on: withUnknown, keys: keys()) == .intact)
        var both = keys()
        both[Self.server, "ed25519:unknown"] = ServerKey(SigningKey.generate().verifyKey, validUntil: Self.sent)
        #expect(EventSignatures.verdict(on: withUnknown, keys: both) == .refused(.wrong(Self.server, keyID: "ed25519:unknown")))
    }

    @Test(
        "from room version 5 on, a key must have been valid when the event was sent",
        arguments: [(RoomVersion.v3, true), (.v4, true), (.v5, false), (.v11, false)])
    func keyValidity(version: RoomVersion, isIntact: Bool) throws {
        let event = try message(version: version)
        #expect(EventSignatures.verdict(on: event, keys: keys()) == .intact)
        let expired = keys(validUntil: Self.sent.advanced(byMilliseconds: -1))
        #expect(EventSignatures.verdict(on: event, keys: expired) == (isIntact ? .intact : .refused(.noValidKey(Self.server))))
    }

    @Test("a server's word on how long its key holds is believed for seven days")
    func longestValidity() {
        let far = Timestamp(milliseconds: .max)
        let key = ServerKey(Self.key.verifyKey, validUntil: far, receivedAt: Self.sent)
        #expect(key.isValid(at: Self.sent.advanced(byMilliseconds: ServerKey.longestValidity)))
        #expect(!key.isValid(at: Self.sent.advanced(byMilliseconds: ServerKey.longestValidity + 1)))
        let short = ServerKey(Self.key.verifyKey, validUntil: Self.sent, receivedAt: Self.sent)
        #expect(!short.isValid(at: Self.sent.advanced(byMilliseconds: 1)))
    }

    @Test("a restricted join needs the signature of the authorising server as well")
    func restrictedJoin() throws {
        let content: JSONObject = ["membership": "join", "join_authorised_via_users_server": "@admin:b.example"]
        let draft = EventDraft(
            type: "m.room.member", stateKey: "@alice:a.example", content: content, sender: UserID(trusted: "@alice:a.example"))
        let event = try Event.build(
            draft, roomID: RoomID(trusted: "!room:a.example"), version: .v11, prevEvents: [], authEvents: [], depth: 5,
            originServerTimestamp: Self.sent, origin: Self.server, key: Self.key)
        let other = ServerName(trusted: "b.example")
        #expect(EventSignatures.verdict(on: event, keys: keys()) == .refused(.missing(other)))
        let otherKey = SigningKey.generate(version: "two")
        let signature = try otherKey.sign(event.signedBytes())
        let signed = try changed(event) {
            var signatures = $0["signatures"]?.object ?? [:]
            signatures["b.example"] = .object([otherKey.keyID: .string(signature)])
            $0["signatures"] = .object(signatures)
        }
        var both = keys()
        both[other, ByteString(otherKey.keyID)] = ServerKey(otherKey.verifyKey, validUntil: Self.sent)
        #expect(EventSignatures.verdict(on: signed, keys: both) == .intact)

        let required = Set(EventSignatures.requirements(of: [signed]).map { "\($0.server) \($0.keyID) \($0.minimumValidUntil)" })
        #expect(required == ["a.example ed25519:one 1000000", "b.example ed25519:two 1000000"])
    }

    @Test("room versions that do not ask for it want no validity of the keys")
    func requirementsOfOldVersions() throws {
        let event = try message(version: .v4)
        #expect(EventSignatures.requirements(of: [event]).map(\.minimumValidUntil) == [Timestamp(milliseconds: 0)])
    }

    @Test("many events are verified side by side, and each verdict stands in its event's place", arguments: [1, 2, 3, 64])
    func batches(width: Int) async throws {
        let events = try (0..<50).map { number in
            let event = try message("message \(number)")
            guard number % 7 == 3 else { return event }
            return try changed(event) { $0["content"] = ["body": "another"] }
        }
        let verdicts = try await EventSignatures.verdicts(on: events, keys: keys(), width: width)
        #expect(verdicts == (0..<50).map { $0 % 7 == 3 ? .contentAltered : .intact })
        #expect(try await EventSignatures.verdicts(on: [], keys: keys(), width: width) == [])
    }

    @Test("a batch whose caller is cancelled stops")
    func cancellation() async throws {
        let events = try (0..<20).map { try message("message \($0)") }
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await EventSignatures.verdicts(on: events, keys: keys(), width: 2)
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
