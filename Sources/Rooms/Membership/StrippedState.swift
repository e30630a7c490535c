// What a user who is not in a room learns of it from an invite. Client-Server API §Stripped state.

import MatrixCore
import Persistence

extension EventReader {
    /// The stripped state for an invite (or a knock) as JSON objects: what names the room and the inviter, as of the invite, and
    /// the invite itself.
    package func strippedState(for invite: TimelineEvent) async throws -> [[UInt8]] {
        if invite.snapshotBefore == .empty, let stored = try await storedStrippedState(of: invite.nid) {
            return try stored + [invite.stripped()]
        }
        // Who knocks is no member: there is only the knock to say of them.
        let inviter = invite.stateKey == invite.sender.text ? [] : [StateKey.member(invite.sender)]
        let keys = EventReader.strippedKeys + inviter
        let state = try await state(keys, at: invite.snapshotBefore)
        let others = try await events(keys.compactMap { state[$0] })
        return try (others + [invite]).map { try $0.stripped() }
    }

    /// What another server learns of a room by an invite or a knock of one of its users, as the room is now: whole events, by which that
    /// server can tell that the room is what it is said to be. Server-Server API §Inviting to a room, §Knocking upon a room.
    ///
    /// - Parameter inviter: whose name the invited user should see.
    package func stateForOutsiders(of room: RoomSnapshot, invitedBy inviter: UserID? = nil) async throws -> [[UInt8]] {
        let keys = EventReader.strippedKeys + (inviter.map { [.member($0)] } ?? [])
        let entries = keys.compactMap { room.entry($0)?.nid }
        let rows = try await database.read { try EventStore.rows(entries, on: $0) }
        let events = Dictionary(rows.map { ($0.nid, $0.json) }) { first, _ in first }
        return entries.compactMap { events[$0] }
    }

    /// What another server has said of a room that this one is not in.
    private func storedStrippedState(of event: EventNID) async throws -> [[UInt8]]? {
        guard let json = try await database.read({ try StrippedStateStore.state(of: event, on: $0) }) else { return nil }
        return try JSONDocument(parsing: json, limits: .lenientEvent).root.elements.map { Array($0.bytes) }
    }

    private static let strippedKeys: [StateKey] = [
        .create, .joinRules, .canonicalAlias, .avatar, .encryption, .name, .topic,
    ]
}

extension TimelineEvent {
    /// `content`, `sender`, `state_key` and `type`.
    package func stripped() throws(JSONError) -> [UInt8] {
        var writer = JSONWriter()
        let content = try content()
        writer.object { event in
            event.member("content", raw: content.map { Array($0.bytes) } ?? Array("{}".utf8))
            event.member("sender", sender)
            if let stateKey { event.member("state_key", stateKey) }
            event.member("type", type)
        }
        return writer.bytes
    }
}
