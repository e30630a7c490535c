// The room as it is handed over to the server of a user who joins. Server-Server API §Joining Rooms.

import MatrixCore
import Persistence
import Rooms

extension ServedRooms {
    /// The answer to `/send_join`: the state before the join with its auth chain, as a JSON object.
    ///
    /// - Parameter omitsMembers: leaves out the members that are not needed to show the room.
    func joinAnswer(for join: Event, in room: ServedRoom, omitsMembers: Bool) async throws -> [UInt8] {
        let numbers = try await stateNumbers(before: join.id, in: room)
        let shown = Set(room.snapshot.heroes(for: join.sender) + [join.sender])
        var body = JSONWriter(capacity: 4096 + (omitsMembers ? 100_000 : numbers.count * 800))
        var chain = AuthChain(room.snapshot)
        body.beginObject()
        body.beginArray("state")
        for batch in numbers.chunked(Self.batchSize) {
            for row in try await database.read({ try PDUStore.rows(batch, on: $0) }) {
                if omitsMembers, row.type == StateKey.memberType, !shown.contains(where: { $0.text == row.stateKey }) { continue }
                body.raw(row.json)
                try chain.follow(row)
            }
        }
        body.endArray()
        for id in join.authEvents { chain.add(id) }
        try await write(&chain, as: "auth_chain", to: &body)
        body.member("event", raw: join.json)
        body.member("members_omitted", omitsMembers)
        body.member("origin", rooms.environment.serverName)
        if omitsMembers { body.member("servers_in_room", room.snapshot.servers.keys.map(\.string)) }
        body.close()
        return body.bytes
    }
}
