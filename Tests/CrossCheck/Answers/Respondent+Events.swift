// Questions about one event: reading it, its hashes and signatures, its redaction, whether it is allowed.

import MatrixCore

extension Respondent {
    /// Reads the event in `json` and keeps it under `name`.
    func answerEvent(_ question: JSON) -> JSONObject {
        guard let json = question["json"]?.textBytes, let name = question["name"]?.byteString else {
            return ["error": "no event asked about"]
        }
        let event: Event
        do {
            event = try Event(parsing: json, version: version)
        } catch {
            return ["error": .string("\(error)")]
        }
        keep(event, as: name)
        do {
            return [
                "event_id": .string(event.id.string),
                "room_id": .string(event.roomID.string),
                "prev_events": .array(event.prevEvents.map { .string($0.string) }),
                "auth_events": .array(event.authEvents.map { .string($0.string) }),
                "content_hash": .string(Event.contentHash(of: try event.document())),
                "signed": JSONValue(text: try event.signedBytes()),
                "redacted": JSONValue(text: try event.redacted().json),
                "redacted_twice": JSONValue(text: try event.redacted().redacted().json),
                "auth_keys": .array(authEventKeys(for: event).sorted().map { JSONValue(key: $0) }),
                "signers": signers(of: event),
            ]
        } catch {
            return ["error": .string("read, but then: \(error)")]
        }
    }

    private func signers(of event: Event) -> JSONValue {
        do {
            try checkFieldSizes(of: event)
            return .array(try requiredSigners(of: event).map { .string($0.string) })
        } catch {
            return .string("\(error)")
        }
    }

    func answerContentHashValid(_ question: JSON) -> JSONObject {
        guard let event = event(question["event"]) else { return ["error": "the event could not be read"] }
        do {
            return ["valid": .bool(try event.hasValidContentHash())]
        } catch {
            return ["error": .string("\(error)")]
        }
    }

    /// Whether `server` signed the event with `key`.
    func answerSignature(_ question: JSON) -> JSONObject {
        guard let event = event(question["event"]), let server = question["server"]?.string.flatMap({ ServerName(valid: $0) }),
            let key = question["key"]?.string.flatMap({ VerifyKey(base64: $0) }), let keyID = question["key_id"]?.byteString
        else { return ["error": "not a question"] }
        do {
            let bytes = try event.signedBytes()
            return ["valid": .bool(try event.signatures(of: server).contains { $0.keyID == keyID && key.verify($0.signature, of: bytes) })]
        } catch {
            return ["error": .string("\(error)")]
        }
    }

    /// The rules that look at an event and its own auth events; for a create event those of its own.
    func answerAuthEvents(_ question: JSON) -> JSONObject {
        guard let event = event(question["event"]) else { return ["error": "the event could not be read"] }
        let rejected = Set(events(question["rejected"]).map(\.id))
        return verdict { () throws(AuthRejection) in
            try checkAuthEvents(of: event, are: events(question["auth_events"])) { rejected.contains($0.id) }
            if event.type == "m.room.create" {
                try authorize(event, against: AuthEventState(events: [], version: version), version: version)
            }
        }
    }

    /// The rules that depend on the state, which is the list of events in `state`.
    func answerAuthorize(_ question: JSON) -> JSONObject {
        guard let event = event(question["event"]) else { return ["error": "the event could not be read"] }
        let state = AuthEventState(events: events(question["state"]), version: version)
        return verdict { () throws(AuthRejection) in try authorize(event, against: state, version: version) }
    }

    private func verdict(_ check: () throws(AuthRejection) -> Void) -> JSONObject {
        do {
            try check()
            return ["allowed": true]
        } catch {
            return ["allowed": false, "rule": .string(error.rule), "reason": .string(error.reason)]
        }
    }
}
