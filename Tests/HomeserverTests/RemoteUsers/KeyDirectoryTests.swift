// Keys of both this and other servers' users, as a client asks for them.

import Federation
import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Keys of users of all servers", .timeLimit(.minutes(10)))
struct KeyDirectoryTests {
    private let alice = RemoteDevicesFixture.alice
    private let rita = RemoteDevicesFixture.rita

    private func claim(_ device: String, _ algorithm: ByteString = "signed_curve25519", of user: UserID? = nil) -> KeyClaim {
        KeyClaim(address: DeviceAddress(user: user ?? rita, device: DeviceID(trusted: device)), algorithm: algorithm)
    }

    @Test("cross-signing keys come with the devices, and a new master key makes an end of what was signed of the old one")
    func crossSigning() async throws {
        try await forEachDatabase { database in
            let other = OtherServer()
            let (first, second) = (CrossSigningIdentity(rita), CrossSigningIdentity(rita))
            let own = CrossSigningIdentity(alice)
            let firstKeys = (master: try first.key(.master), selfSigning: try first.key(.selfSigning))
            other.change(rita) { person in
                person.devices = ["PHONE": (nil, "one")]
                (person.master, person.selfSigning) = firstKeys
            }
            try await RemoteDevicesFixture.run(on: database, with: other) { server in
                let room = try await server.rooms.room(by: alice)
                try await server.rooms.move(rita, to: .join, in: room)
                try await server.crossSigning.upload(CrossSigningUpload(own.body().parsed, of: alice), of: alice, isAuthenticated: true)
                func master() async throws -> (key: String?, signers: [String]) {
                    let query = KeyQuery(everythingOf: rita)
                    let answer = try await server.directory.query(query, by: alice, timeout: .seconds(20))
                    guard let row = answer.crossSigningKeys.first(where: { $0.usage == .master }) else { return (nil, []) }
                    let signatures = try JSONDocument(parsing: row.json).root["signatures"]
                    return (row.publicKey.string, signatures?.members.map(\.key.string) ?? [])
                }
                // A signature of a master key that was not asked for before.
                let signed = try own.userSigning.sign(first.key(.master))
                let upload: JSONObject = [rita.string: .object(JSONObject([(ByteString(first.master.publicKey), .object(signed))]))]
                #expect(try await server.crossSigning.upload(SignatureUpload(upload.parsed), by: alice).map(\.error.message) == [])
                #expect(try await master() == (first.master.publicKey, [alice.string]))
                let changed = try await server.changed {
                    try await server.lists.receive(
                        SigningKeyUpdate(
                            ([
                                "user_id": .string(rita.string), "master_key": .object(second.key(.master)),
                                "self_signing_key": .object(second.key(.selfSigning)),
                            ] as JSONObject).parsed))
                }
                #expect(changed == [rita])
                #expect(try await master() == (second.master.publicKey, []))
                #expect(other.asked.count == 1)
                // A self-signing key of somebody else is nobody's.
                let wrong: JSONObject = ["user_id": .string(rita.string), "self_signing_key": .object(try first.key(.selfSigning))]
                #expect(try await server.changed { try await server.lists.receive(SigningKeyUpdate(wrong.parsed)) } == [])
            }
        }
    }

    @Test("a claim is met by this and by another server, and only with keys that were claimed", arguments: DatabaseKind.allCases)
    func claims(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let other = OtherServer()
            try await RemoteDevicesFixture.run(on: database, with: other) { server in
                let phone = DeviceAddress(user: alice, device: DeviceID(trusted: "PHONE"))
                _ = try await server.keys.upload(
                    KeyUpload(json(#"{"one_time_keys":{"signed_curve25519:A":"a"}}"#), by: phone), by: phone)
                other.claims([
                    rita.string: [
                        "ONE": ["signed_curve25519:K": ["key": "k", "signatures": [:]]],
                        "TWO": ["curve25519:K": "k"],
                        "THREE": ["signed_curve25519:K": 5],
                        "FOUR": ["signed_curve25519:K": "k", "signed_curve25519:L": "l"],
                        "SIX": "k",
                    ],
                    "@stranger:other.example": ["ONE": ["signed_curve25519:K": "k"]],
                ])
                let wanted = ["ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX"].map { claim($0) } + [claim("PHONE", of: alice)]
                let answer = try await server.directory.claim(wanted.sorted(), timeout: .seconds(20))
                #expect(
                    answer.keys.map { "\($0.address.user) \($0.address.device) \($0.key.name)" } == [
                        "\(alice) PHONE signed_curve25519:A", "\(rita) FOUR signed_curve25519:K", "\(rita) ONE signed_curve25519:K",
                    ])
                #expect(answer.failures.isEmpty)
                other.fail(with: .paused(OtherServer.name, until: .now))
                let failed = try await server.directory.claim([claim("ONE")], timeout: .seconds(20))
                #expect(failed.keys.isEmpty && failed.failures.map(\.reason) == ["Not ready for retry"])
            }
        }
    }

    @Test("how long other servers may take is held within bounds")
    func timeouts() {
        #expect(KeyDirectory.timeout(nil) == .seconds(10))
        #expect(KeyDirectory.timeout(5000) == .seconds(5))
        #expect(KeyDirectory.timeout(-1) == .milliseconds(1))
        #expect(KeyDirectory.timeout(.max) == .seconds(60))
    }
}
