// Third-party invites in rooms of several servers. Server-Server API §Third-party invites.

import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Third-party invites between servers")
struct SharedInviteTests {
    @Test("the server of the invited user makes the invite where it is in the room, and tells the others", arguments: DatabaseKind.allCases)
    func invite(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { one in
            try await withDatabase(.sqlite) { two in
                let ours = try await FederatedServer("ours", one)
                let other = try await FederatedServer("other", two)
                let room = try await ours.newRoom(.v11)
                let identity = SigningKey.generate(version: "0")
                _ = try await membership(on: ours).store(
                    StoredInvite(
                        token: "tok", displayName: "c...", keys: [.init(publicKey: identity.verifyKeyBase64, validityURL: nil)]),
                    in: room.id, by: MembershipRequester(user: ours.admin))
                let there = try await other.rooms.takeOver(try await ours.letIn(other.admin, of: other, to: room.id))

                let carol = other.user("carol")
                let object: JSONObject = ["mxid": .string(carol.string), "token": "tok"]
                let signed = try JSONDocument(parsing: try JSONSigning.sign(object, as: "identity", key: identity).canonicalBytes).root
                try await membership(on: other).exchange(signed, by: ours.admin, of: carol, in: room.id) { _ in true }
                let entry = try #require(there.current.entry(.member(carol)))
                #expect(entry.membership == .invite)
                let shown = try #require(try await EventReader(environment: other.rooms.environment).event(entry.nid))
                #expect(shown.sender == ours.admin && shown.isRelayed, "it is for this server to send it to the room")

                let invite = try #require(try await other.pdus([entry.id]).first)
                #expect(try requiredSigners(of: invite).isEmpty, "its sender's server has not signed it")
                #expect(try await room.receive(RemoteEvent(invite)).refusal == nil)
                #expect(room.current.membership(of: carol) == .invite)

                // What is between others is not for this server to sign.
                let dave = UserID(trusted: "@dave:third")
                #expect(
                    try await errorCode {
                        try await membership(on: other).exchange(signed, by: ours.admin, of: dave, in: room.id) { _ in true }
                    } == "M_FORBIDDEN")
            }
        }
    }

    private func membership(on server: FederatedServer) -> RoomMembership {
        RoomMembership(rooms: server.rooms, directory: AliasDirectory(rooms: server.rooms))
    }
}
