// Questions about states of a room: resolution, server access control lists.

import MatrixCore

extension Respondent {
    /// The resolution of `states`, each of them a list of events.
    func answerResolve(_ question: JSON) -> JSONObject {
        let states = (question["states"]?.elements).map(Array.init) ?? []
        guard let room = states.first.flatMap({ events($0).first })?.roomID else { return ["error": "no states asked about"] }
        let maps = states.map { state in
            events(state).reduce(into: StateMap()) { map, event in
                if let key = event.key { map[key] = event.id }
            }
        }
        do {
            let resolved = try StateResolution.resolve(maps, in: room, version: version, events: pool)
            let entries = resolved.sorted { $0.key < $1.key }.map { key, id -> JSONValue in
                [.string(key.type.string), .string(key.stateKey.string), .string(id.string)]
            }
            return ["state": .array(entries)]
        } catch {
            return ["error": .string("\(error)")]
        }
    }

    /// Whether `server` may take part in a room whose `m.room.server_acl` has this `content`.
    func answerServerACL(_ question: JSON) -> JSONObject {
        guard let content = question["content"], let server = question["server"]?.string.flatMap({ ServerName(valid: $0) }) else {
            return ["error": "not a question"]
        }
        return ["allowed": .bool(ServerACL(content: content).allows(server))]
    }
}
