// Events that a room's policy server has to recommend. Server-Server API §Policy Servers.

import MatrixCore
import Persistence

/// Asks policy servers for their signatures.
package protocol PolicySignatures: Sendable {
    /// - Returns: the signature in Base64.
    /// - Throws: why there is none, as clients are told: the policy server's own words where it has refused.
    func signature(on event: Event, by server: ServerName) async throws(MatrixError) -> String
}

extension RoomEnvironment {
    /// The policy server that a room uses. This server is none.
    func policyServer(of room: RoomSnapshot) -> PolicyServer? {
        guard let policy = room.policyServer, policy.name != serverName, room.isJoined(by: policy.name) else { return nil }
        return policy
    }

    /// The event with the signature of the room's policy server, where the room uses one.
    ///
    /// - Throws: where the policy server does not sign it, or does not answer.
    func recommended(_ event: Event, in room: RoomSnapshot) async throws(MatrixError) -> Event {
        guard let policy = policyServer(of: room), PolicyServer.concerns(event), !policy.recommends(event) else { return event }
        guard let policySignatures else { throw .unknown("This server cannot ask the policy server of the room", status: 502) }
        let signature = try await policySignatures.signature(on: event, by: policy.name)
        let signed: Event
        do {
            signed = try event.adding(signature, by: policy.name, keyID: PolicyServer.keyID)
        } catch {
            throw MatrixError(error)
        }
        guard policy.recommends(signed) else {
            throw .unknown("The policy server \(policy.name) has not signed the event rightly", status: 502)
        }
        return signed
    }
}

extension Room {
    /// The event with the signature of the room's policy server, where the room uses one; for events that go another way than by `send`.
    ///
    /// - Throws: where the policy server does not sign it, or does not answer.
    package nonisolated func recommended(_ event: Event) async throws(MatrixError) -> Event {
        try await environment.recommended(event, in: current)
    }

    /// Step 7 of the checks on a received event. What happened before all that is known of the room is not asked about: its servers
    /// have decided long ago.
    nonisolated func judged(_ remote: RemoteEvent) async -> RemoteEvent {
        guard remote.path != .past, environment.policyServer(of: current) != nil else { return remote }
        var judged = remote
        do {
            judged.event = try await recommended(remote.event)
        } catch {
            judged.policyRefusal = error.message
        }
        return judged
    }
}

extension RoomBatch {
    /// Gets every event of the batch recommended by the policy server of the room as it was before.
    ///
    /// - Throws: where it refuses one.
    mutating func getRecommended(in room: RoomSnapshot) async throws(MatrixError) {
        for index in records.indices {
            records[index].row.event = try await environment.recommended(records[index].row.event, in: room)
        }
    }
}
