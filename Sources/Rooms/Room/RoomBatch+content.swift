// What makes no sense to send, though no rule of the room forbids it: other servers may, users of this one may not. As with Synapse.

import MatrixCore

extension RoomBatch {
    /// - Throws: `MatrixError` for state that would do harm to its own room.
    func checkContent(of draft: EventDraft) throws {
        switch draft.type {
        case StateKey.tombstone.type:
            let replacement = try RoomBatch.parse(draft.content)["replacement_room"]
            guard replacement?.isString(head.snapshot.roomID.string) != true else {
                throw MatrixError.invalidParam("A tombstone cannot name the room that it stands in")
            }
        case StateKey.retention.type:
            guard draft.stateKey != nil else { throw MatrixError.unknown("must be a state event", status: 400) }
            try RetentionPolicy.check(RoomBatch.parse(draft.content))
        case StateKey.serverACL.type where draft.stateKey == "":
            guard try ServerACL(content: RoomBatch.parse(draft.content)).spares(environment.serverName) else {
                throw MatrixError.invalidParam("An access control list cannot shut out this server")
            }
        default:
            return
        }
    }

    /// - Throws: `M_BAD_JSON` for a message that no client can show, and for mentions of another form than theirs.
    func checkMessage(_ event: Event) throws(MatrixError) {
        guard !event.isState else { return }
        let content = event.content()
        if event.type == "m.room.message" {
            for name in ["body", "msgtype"] where content[name]?.isString != true {
                throw .badJSON("'\(name)' of a message must be a string")
            }
        }
        guard let mentions = content["m.mentions"] else { return }
        guard mentions.isObject, mentions["room"].map({ $0.bool != nil }) ?? true,
            mentions["user_ids"].map({ $0.isArray && $0.elements.allSatisfy(\.isString) }) ?? true
        else { throw .badJSON("m.mentions must be an object with 'user_ids', a list of strings, and 'room', a boolean") }
    }
}
