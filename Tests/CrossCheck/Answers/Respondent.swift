// Answers questions about one room after the other, by asking MatrixCore.

import MatrixCore

/// What the questions so far have built up: the room version that is asked about, the events by the names they were given, and
/// those of them that are in the room.
final class Respondent {
    private(set) var version = RoomVersion.v12
    private(set) var pool = EventPool()
    private var events: [ByteString: Event] = [:]

    /// The answer to one question, which has its kind under `ask`.
    func answer(_ question: JSON) -> JSONObject {
        switch question["ask"]?.string {
        case "room": return answerRoom(question)
        case "in the room": return answerInTheRoom(question)
        case "event": return answerEvent(question)
        case "auth events": return answerAuthEvents(question)
        case "authorize": return answerAuthorize(question)
        case "signature": return answerSignature(question)
        case "resolve": return answerResolve(question)
        case "canonical": return answerCanonical(question)
        case "identifier": return answerIdentifier(question)
        case "server acl": return answerServerACL(question)
        case "push": return answerPush(question)
        case "content hash valid": return answerContentHashValid(question)
        default: return ["unknown question": true]
        }
    }

    /// A new room of the version that is named; the events of the one before are forgotten.
    private func answerRoom(_ question: JSON) -> JSONObject {
        events = [:]
        pool = EventPool()
        guard let version = question["version"]?.string.flatMap(RoomVersion.named) else { return ["known": false] }
        self.version = version
        return ["known": true]
    }

    /// The event is in the room from now on, or is kept as one that was rejected.
    private func answerInTheRoom(_ question: JSON) -> JSONObject {
        guard let event = event(question["event"]) else { return ["error": "the event could not be read"] }
        pool.insert(event, isRejected: question["rejected"]?.bool == true)
        return [:]
    }

    func keep(_ event: Event, as name: ByteString) {
        events[name] = event
    }

    /// The event that was given this name, if it could be read.
    func event(_ name: JSON?) -> Event? {
        name?.byteString.flatMap { events[$0] }
    }

    /// The events of a list of names; those that could not be read are left out.
    func events(_ names: JSON?) -> [Event] {
        names.map { $0.elements.compactMap { event($0) } } ?? []
    }
}

extension JSON {
    /// The bytes of a text inside the question.
    var textBytes: [UInt8]? { string.map { Array($0.utf8) } }
}

extension JSONValue {
    /// Bytes which are UTF-8, as everything that MatrixCore writes.
    init(text bytes: [UInt8]) {
        self = .string(String(decoding: bytes, as: UTF8.self))
    }

    init(key: StateKey) {
        self = .array([.string(key.type.string), .string(key.stateKey.string)])
    }
}
