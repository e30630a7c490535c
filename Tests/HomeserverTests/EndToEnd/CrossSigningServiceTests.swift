import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Cross-signing")
struct CrossSigningServiceTests {
    static let alice = TestRooms.user("alice")
    static let bob = TestRooms.user("bob")

    /// The services of keys on one database, with a device of Alice.
    private struct Fixture {
        let rooms: TestRooms
        let keys: EndToEndKeyService
        let crossSigning: CrossSigningService
        let sessions: SessionService
        let phone = Signer(alice, device: "PHONE")
        let identity = CrossSigningIdentity(alice)

        init(_ database: any Database) async throws {
            rooms = try await TestRooms(on: database)
            let changes = KeyedQueue<UserID>()
            keys = EndToEndKeyService(
                database: database, journal: rooms.journal, serverName: TestRooms.serverName, changes: changes)
            crossSigning = CrossSigningService(database: database, journal: rooms.journal, changes: changes)
            sessions = SessionService(
                database: database, journal: rooms.journal, lifetimes: SessionLifetimes(), observers: [keys, crossSigning])
            try await rooms.addDevice("PHONE", of: alice)
            try await upload(phone)
        }

        func upload(_ device: Signer, keys json: JSONObject? = nil) async throws {
            let address = DeviceAddress(user: device.user, device: DeviceID(trusted: device.name))
            let body: JSONObject = ["device_keys": .object(try json ?? device.deviceKeys())]
            _ = try await keys.upload(KeyUpload(body.parsed, by: address), by: address)
        }

        func publish(
            _ identity: CrossSigningIdentity, _ usages: [CrossSigningUsage] = CrossSigningUsage.allCases, isAuthenticated: Bool = false
        ) async throws {
            let upload = try CrossSigningUpload(identity.body(usages).parsed, of: identity.user)
            try await crossSigning.upload(upload, of: identity.user, isAuthenticated: isAuthenticated)
        }

        /// Uploads signed keys: name to object, of one user. What fails is answered by name.
        func sign(_ objects: [String: JSONObject], of user: UserID, by signer: UserID = alice) async throws -> [String: String] {
            let members = JSONObject(objects.map { (ByteString($0.key), JSONValue.object($0.value)) })
            let upload = try SignatureUpload(JSONObject([(user.text, .object(members))]).parsed)
            let failures = try await crossSigning.upload(upload, by: signer)
            return Dictionary(uniqueKeysWithValues: failures.map { ($0.key.string, $0.error.errcode) })
        }

        /// The error code with which a login with this device id is refused.
        func refusal(ofLoginWith device: String) async throws -> String? {
            do {
                _ = try await sessions.open(alice, device: device, displayName: nil, withRefreshToken: false)
                return nil
            } catch let error as MatrixError {
                return error.errcode
            }
        }

        func query(_ user: UserID, by viewer: UserID) async throws -> KeyQueryAnswer {
            let body: JSONObject = ["device_keys": .object(JSONObject([(user.text, .array([]))]))]
            return try await keys.query(KeyQuery(body.parsed), by: viewer)
        }

        /// The signatures that `viewer` sees of a key: `<user> <key ID>`.
        func signatures(of usage: CrossSigningUsage, of user: UserID, seenBy viewer: UserID) async throws -> Set<String> {
            let key = try await query(user, by: viewer).crossSigningKeys.first { $0.usage == usage }
            return try key.map { try Self.signatures(in: $0.json) } ?? []
        }

        func signatures(ofDevice device: String, of user: UserID, seenBy viewer: UserID) async throws -> Set<String> {
            let keys = try await query(user, by: viewer).users.first?.devices.first { $0.device.string == device }
            return try keys.map { try Self.signatures(in: $0.json) } ?? []
        }

        private static func signatures(in json: [UInt8]) throws -> Set<String> {
            let all = try JSONDocument(parsing: json).root["signatures"]
            return Set(all?.members.flatMap { user, own in own.members.map { "\(user) \($0.key)" } } ?? [])
        }
    }

    @Test("the first keys need nothing, to replace them takes the owner or an administrator", arguments: DatabaseKind.allCases)
    func authentication(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            #expect(try await server.crossSigning.allowReplacement(of: Self.alice, forMilliseconds: 60_000) == nil)
            try await server.publish(server.identity)
            try await server.publish(server.identity)
            let other = CrossSigningIdentity(Self.alice)
            await #expect(throws: CrossSigningService.AuthenticationNeeded.self) { try await server.publish(other) }
            await #expect(throws: CrossSigningService.AuthenticationNeeded.self) {
                try await server.publish(other, [.master])
            }
            #expect(try await server.crossSigning.allowReplacement(of: Self.alice, forMilliseconds: 60_000) != nil)
            try await server.publish(other)
            // Once.
            await #expect(throws: CrossSigningService.AuthenticationNeeded.self) { try await server.publish(server.identity) }
            try await server.publish(server.identity, isAuthenticated: true)
            let keys = try await server.query(Self.alice, by: Self.alice).crossSigningKeys
            #expect(
                Set(keys.map(\.publicKey.string))
                    == Set([server.identity.master, server.identity.selfSigning, server.identity.userSigning].map(\.publicKey)))
        }
    }

    @Test("others see the master and self-signing key; only the owner hears of the user-signing key", arguments: DatabaseKind.allCases)
    func visibility(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            func told(_ act: () async throws -> Void) async throws -> [UserID?] {
                let start = server.rooms.journal.position
                try await act()
                return (server.rooms.journal.commits.recent(after: start) ?? []).flatMap(\.changes).map { change in
                    if case .signatures(_, let viewer) = change.kind { viewer } else { nil }
                }
            }
            #expect(try await told { try await server.publish(server.identity, [.master, .selfSigning]) } == [nil])
            #expect(try await told { try await server.publish(server.identity, [.userSigning], isAuthenticated: true) } == [Self.alice])
            #expect(try await told { try await server.publish(server.identity) } == [])
            #expect(
                try await Set(server.query(Self.alice, by: Self.alice).crossSigningKeys.map(\.usage)) == [
                    .master, .selfSigning, .userSigning,
                ])
            #expect(try await Set(server.query(Self.alice, by: Self.bob).crossSigningKeys.map(\.usage)) == [.master, .selfSigning])
        }
    }

    @Test("no key may be called as a device is, and no device as a key", arguments: DatabaseKind.allCases)
    func names(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            try await server.rooms.addDevice(server.identity.master.publicKey, of: Self.alice)
            let identity = server.identity
            let code = try await errorCode { try await server.publish(identity) }
            #expect(code == "M_FORBIDDEN")
            let other = CrossSigningIdentity(Self.alice)
            let device = other.selfSigning.publicKey
            try await server.publish(other)
            #expect(try await server.refusal(ofLoginWith: device) == "M_FORBIDDEN")
        }
    }

    @Test(
        "devices are signed by the self-signing key, and keep that when they upload the same keys again", arguments: DatabaseKind.allCases)
    func devices(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            let (phone, identity) = (server.phone, server.identity)
            let keys = try phone.deviceKeys()
            #expect(try await server.sign(["PHONE": identity.selfSigning.sign(keys)], of: Self.alice) == ["PHONE": "M_NOT_FOUND"])
            try await server.publish(identity)
            var forged = keys
            forged["algorithms"] = []
            let failures = try await server.sign(
                [
                    "PHONE": keys, "TABLET": try identity.selfSigning.sign(keys),
                ], of: Self.alice)
            #expect(failures == ["PHONE": "M_INVALID_SIGNATURE", "TABLET": "M_NOT_FOUND"])
            #expect(try await server.sign(["PHONE": identity.selfSigning.sign(forged)], of: Self.alice) == ["PHONE": "M_UNKNOWN"])
            var wrong = try identity.selfSigning.sign(forged)
            wrong["algorithms"] = keys["algorithms"]
            #expect(try await server.sign(["PHONE": wrong], of: Self.alice) == ["PHONE": "M_INVALID_SIGNATURE"])

            let start = server.rooms.journal.position
            #expect(try await server.sign(["PHONE": identity.selfSigning.sign(keys)], of: Self.alice) == [:])
            #expect(server.rooms.journal.position > start)
            let signed: Set = ["\(Self.alice) ed25519:PHONE", "\(Self.alice) \(identity.selfSigning.keyID)"]
            #expect(try await server.signatures(ofDevice: "PHONE", of: Self.alice, seenBy: Self.bob) == signed)
            let after = server.rooms.journal.position
            #expect(try await server.sign(["PHONE": identity.selfSigning.sign(keys)], of: Self.alice) == [:])
            try await server.upload(phone, keys: keys)
            #expect(server.rooms.journal.position == after)
            #expect(try await server.signatures(ofDevice: "PHONE", of: Self.alice, seenBy: Self.bob) == signed)
            // Other keys are not what was signed.
            try await server.upload(phone, keys: phone.sign(forged))
            #expect(try await server.signatures(ofDevice: "PHONE", of: Self.alice, seenBy: Self.bob) == ["\(Self.alice) ed25519:PHONE"])
        }
    }

    @Test("what an earlier self-signing key signed is not shown any more", arguments: DatabaseKind.allCases)
    func replacedSelfSigningKey(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            try await server.publish(server.identity)
            #expect(try await server.sign(["PHONE": server.identity.selfSigning.sign(server.phone.deviceKeys())], of: Self.alice) == [:])
            try await server.publish(CrossSigningIdentity(Self.alice), isAuthenticated: true)
            #expect(try await server.signatures(ofDevice: "PHONE", of: Self.alice, seenBy: Self.bob) == ["\(Self.alice) ed25519:PHONE"])
        }
    }

    @Test("a device signs the master key; everyone sees it until the device is deleted", arguments: DatabaseKind.allCases)
    func masterKey(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            let master = server.identity.master
            try await server.publish(server.identity)
            let stranger = Signer(Self.alice, device: "TABLET")
            let wrong = try stranger.sign(server.identity.key(.master))
            #expect(try await server.sign([master.name: wrong], of: Self.alice) == [master.name: "M_INVALID_SIGNATURE"])
            #expect(
                try await server.sign([master.name: server.identity.key(.master)], of: Self.alice) == [master.name: "M_INVALID_SIGNATURE"])
            let signed = try server.phone.sign(server.identity.key(.master))
            #expect(try await server.sign([master.name: signed], of: Self.alice) == [:])
            #expect(try await server.signatures(of: .master, of: Self.alice, seenBy: Self.bob) == ["\(Self.alice) ed25519:PHONE"])
            // The same keys again, now without the signature, are nothing new.
            try await server.publish(server.identity)
            try await server.sessions.deleteDevices([DeviceID(trusted: "PHONE")], of: Self.alice)
            #expect(try await server.signatures(of: .master, of: Self.alice, seenBy: Self.alice) == [])
            #expect(try await server.query(Self.alice, by: Self.alice).users.first?.devices.isEmpty == true)
        }
    }

    @Test("who signs another user's master key alone sees the signature, as long as both keys are there", arguments: DatabaseKind.allCases)
    func otherUsers(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            let bobs = CrossSigningIdentity(Self.bob)
            let signed = try server.identity.userSigning.sign(bobs.key(.master))
            #expect(try await server.sign([bobs.master.name: signed], of: Self.bob) == [bobs.master.name: "M_NOT_FOUND"])
            try await server.publish(server.identity)
            #expect(try await server.sign([bobs.master.name: signed], of: Self.bob) == [bobs.master.name: "M_NOT_FOUND"])
            try await server.publish(bobs)

            let bySelfSigning = try server.identity.selfSigning.sign(bobs.key(.master))
            #expect(try await server.sign([bobs.master.name: bySelfSigning], of: Self.bob) == [bobs.master.name: "M_INVALID_SIGNATURE"])
            let start = server.rooms.journal.position
            let failures = try await server.sign([bobs.master.name: signed, "PHONE": signed], of: Self.bob)
            #expect(failures == ["PHONE": "M_NOT_FOUND"])
            let changes = (server.rooms.journal.commits.recent(after: start) ?? []).flatMap(\.changes)
            #expect(changes.count == 1)
            guard case .signatures(Self.bob, Self.alice)? = changes.first?.kind else {
                Issue.record("the signer is to be told")
                return
            }
            #expect(try await server.sign([bobs.master.name: signed], of: Self.bob) == [:])
            let seen = "\(Self.alice) \(server.identity.userSigning.keyID)"
            #expect(try await server.signatures(of: .master, of: Self.bob, seenBy: Self.alice) == [seen])
            #expect(try await server.signatures(of: .master, of: Self.bob, seenBy: Self.bob) == [])

            try await server.publish(CrossSigningIdentity(Self.bob), isAuthenticated: true)
            #expect(try await server.signatures(of: .master, of: Self.bob, seenBy: Self.alice) == [])
        }
    }

    @Test("an account that ends takes its keys along", arguments: DatabaseKind.allCases)
    func deactivation(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            let bobs = CrossSigningIdentity(Self.bob)
            try await server.publish(server.identity)
            try await server.publish(bobs)
            let account = AccountRow(user: Self.alice, passwordHash: nil, created: .now)
            _ = try await database.write { try AccountService.insert(account, displayName: nil, on: $0) }
            let signed = try bobs.userSigning.sign(server.identity.key(.master))
            #expect(try await server.sign([server.identity.master.name: signed], of: Self.alice, by: Self.bob) == [:])
            #expect(try await database.write { try AccountEndingStore.deactivate(Self.alice, erases: false, on: $0) })
            #expect(try await server.query(Self.alice, by: Self.bob).crossSigningKeys.isEmpty)
            #expect(try await database.read { try CrossSigningStore.signatures(by: Self.bob, on: $0) }.isEmpty)
            #expect(try await server.query(Self.bob, by: Self.bob).crossSigningKeys.count == 3)
        }
    }
}
