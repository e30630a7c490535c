import Homeserver
import MatrixCore
import Persistence
import Rooms
import TestSupport
import Testing

@Suite("Dehydrated devices")
struct DehydratedDeviceServiceTests {
    static let alice = TestRooms.user("alice")
    static let bob = TestRooms.user("bob")

    private struct Fixture {
        let rooms: TestRooms
        let keys: EndToEndKeyService
        let toDevice: ToDeviceService
        let sessions: SessionService
        let dehydrated: DehydratedDeviceService

        init(_ database: any Database) async throws {
            rooms = try await TestRooms(on: database)
            let (journal, name) = (rooms.journal, TestRooms.serverName)
            keys = EndToEndKeyService(database: database, journal: journal, serverName: name)
            toDevice = ToDeviceService(database: database, journal: journal, serverName: name, logger: DatabaseFixture.logger)
            sessions = SessionService(database: database, journal: journal, lifetimes: SessionLifetimes(), observers: [keys, toDevice])
            dehydrated = DehydratedDeviceService(
                database: database, journal: journal, sessions: sessions, keys: keys, toDevice: toDevice)
        }

        func set(_ device: String) async throws {
            try await dehydrated.set(DehydratedDeviceUpload(json(body(device)), of: alice), of: alice)
        }

        func send(_ count: Int, to device: String) async throws {
            for number in 0..<count {
                let messages = "{\"messages\":{\"\(alice)\":{\"\(device)\":{\"n\":\(number)}}}}"
                try await toDevice.send(
                    ToDeviceRequest(type: "m.test", json(messages)), transaction: "\(device) \(number)",
                    from: Requester(user: bob, device: nil))
            }
        }
    }

    private static func body(_ device: String, data: String = #"{"algorithm":"x","device_pickle":"p"}"#) -> String {
        """
        {"device_id":"\(device)","device_data":\(data),"initial_device_display_name":"asleep",
         "device_keys":{"user_id":"\(alice)","device_id":"\(device)","algorithms":[],"keys":{"ed25519:\(device)":"k"},"signatures":{}},
         "one_time_keys":{"signed_curve25519:A":"a"},"fallback_keys":{"signed_curve25519:F":"f"}}
        """
    }

    @Test(
        "what is not as it should be is refused",
        arguments: [
            (#"{}"#, "M_MISSING_PARAM"),
            (#"{"device_id":"D"}"#, "M_MISSING_PARAM"),
            (#"{"device_id":1}"#, "M_BAD_JSON"),
            (#"{"device_id":"D","device_data":{"algorithm":"x"}}"#, "M_MISSING_PARAM"),
            (body("D", data: "{}"), "M_BAD_JSON"),
            (body("D", data: "[]"), "M_BAD_JSON"),
            (
                #"{"device_id":"D","device_data":{"algorithm":"x"},"device_keys":{"user_id":"@bob:example.org","device_id":"D","algorithms":[],"keys":{},"signatures":{}}}"#,
                "M_BAD_JSON"
            ),
        ])
    func refused(_ body: String, errcode: String) throws {
        let error = #expect(throws: MatrixError.self) { try DehydratedDeviceUpload(json(body), of: Self.alice) }
        #expect(error?.errcode == errcode)
    }

    @Test("a dehydrated device has keys as any other, and there is only one", arguments: DatabaseKind.allCases)
    func one(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            #expect(try await errorCode { _ = try await server.dehydrated.device(of: Self.alice) } == "M_NOT_FOUND")
            for device in ["FIRST", "SECOND", "SECOND"] {
                try await server.set(device)
                #expect(try await server.dehydrated.device(of: Self.alice).device.string == device)
                let devices = try await database.read { try DeviceStore.devices(of: Self.alice, on: $0) }
                #expect(devices.map(\.device.string) == [device])
                #expect(devices.map(\.displayName) == ["asleep"])
                let query = try KeyQuery(json("{\"device_keys\":{\"\(Self.alice)\":[]}}"))
                #expect(try await server.keys.query(query, by: Self.bob).users.first?.devices.map(\.device.string) == [device])
                let claim = KeyClaim(
                    address: DeviceAddress(user: Self.alice, device: DeviceID(trusted: device)), algorithm: "signed_curve25519")
                #expect(try await server.keys.claim([claim]).keys.map(\.key.name) == ["signed_curve25519:A"])
            }
            #expect(try await server.dehydrated.delete(of: Self.alice).string == "SECOND")
            #expect(try await database.read { try DeviceStore.devices(of: Self.alice, on: $0) }.isEmpty)
            #expect(try await errorCode { _ = try await server.dehydrated.delete(of: Self.alice) } == "M_NOT_FOUND")
        }
    }

    @Test("the id of another device is not taken over", arguments: DatabaseKind.allCases)
    func collision(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            try await server.rooms.addDevice("PHONE", of: Self.alice)
            #expect(try await errorCode { try await server.set("PHONE") } == "M_FORBIDDEN")
            #expect(try await errorCode { _ = try await server.dehydrated.device(of: Self.alice) } == "M_NOT_FOUND")
        }
    }

    @Test("deleting the device as a device ends its sleep", arguments: DatabaseKind.allCases)
    func deletedAsDevice(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            try await server.set("SLEEPER")
            try await server.sessions.deleteDevices([DeviceID(trusted: "SLEEPER")], of: Self.alice)
            #expect(try await errorCode { _ = try await server.dehydrated.device(of: Self.alice) } == "M_NOT_FOUND")
        }
    }

    @Test("what was sent to it is read in pages, again and again, by its owner only", arguments: DatabaseKind.allCases)
    func events(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await Fixture(database)
            let device = DeviceID(trusted: "SLEEPER")
            func page(_ user: UserID, _ device: DeviceID, after: StreamPosition) async throws -> (
                count: Int, next: StreamPosition, isLimited: Bool
            ) {
                let page = try await server.dehydrated.events(for: device, of: user, after: after, limit: 2)
                return (page.events.count, page.next, page.isLimited)
            }
            #expect(try await errorCode { _ = try await page(Self.alice, device, after: .zero) } == "M_FORBIDDEN")
            try await server.set("SLEEPER")
            try await server.send(5, to: "SLEEPER")
            for _ in 0..<2 {
                var position = StreamPosition.zero
                for (count, isLimited) in [(2, true), (2, true), (1, false), (0, false)] {
                    let page = try await page(Self.alice, device, after: position)
                    #expect((page.count, page.isLimited) == (count, isLimited))
                    position = page.next
                }
            }
            #expect(try await errorCode { _ = try await page(Self.alice, DeviceID(trusted: "PHONE"), after: .zero) } == "M_FORBIDDEN")
            #expect(try await errorCode { _ = try await page(Self.bob, device, after: .zero) } == "M_FORBIDDEN")
        }
    }
}
