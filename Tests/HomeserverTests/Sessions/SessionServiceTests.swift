// Sessions on both databases.

import Homeserver
import MatrixCore
import Persistence
import TestSupport
import Testing

@Suite("Sessions")
struct SessionServiceTests {
    @Test("a login's token names its user and device, also after a restart; another token does not", arguments: DatabaseKind.allCases)
    func login(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let alice = try await server.register("alice")
            let session = try await server.sessions.open(alice, device: "PHONE", displayName: "My phone", withRefreshToken: false)
            #expect(session.refreshToken == nil && session.expiresInMilliseconds == nil)
            for server in [server, try await AccountsFixture(database)] {
                let requester = try await server.sessions.authenticate(token: session.accessToken)
                #expect(requester.user == alice && requester.device?.string == "PHONE" && !requester.isAdmin)
                #expect(try await errorCode { _ = try await server.sessions.authenticate(token: "syt_other") } == "M_UNKNOWN_TOKEN")
            }
            #expect(server.devices.announced.withLock { $0 } == ["PHONE"])
            let rows = try await database.read { try DeviceStore.devices(of: alice, on: $0) }
            #expect(rows.map(\.displayName) == ["My phone"])
        }
    }

    @Test("a login with a known device replaces its session and keeps its name", arguments: DatabaseKind.allCases)
    func sameDevice(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let alice = try await server.register("alice")
            let first = try await server.sessions.open(alice, device: "PHONE", displayName: "first", withRefreshToken: false)
            #expect(try await server.isValid(first.accessToken))
            let second = try await server.sessions.open(alice, device: "PHONE", displayName: "second", withRefreshToken: false)
            #expect(try await !server.isValid(first.accessToken))
            #expect(try await server.isValid(second.accessToken))
            #expect(try await database.read { try DeviceStore.devices(of: alice, on: $0).map(\.displayName) } == ["first"])
            #expect(server.devices.announced.withLock { $0 } == ["PHONE"])
        }
    }

    @Test("logout ends one session, logout everywhere all of them and no other user's", arguments: DatabaseKind.allCases)
    func logout(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let (alice, bob) = (try await server.register("alice"), try await server.register("bob"))
            let sessions = try await [alice, alice, alice, bob].asyncMap {
                try await server.sessions.open($0, device: nil, displayName: nil, withRefreshToken: true)
            }
            let tokens = sessions.map(\.accessToken)
            #expect(try await tokens.asyncMap { try await server.isValid($0) } == [true, true, true, true])
            try await server.sessions.logOut(token: tokens[0])
            #expect(try await tokens.asyncMap { try await server.isValid($0) } == [false, true, true, true])
            #expect(server.devices.deleted.withLock { $0 } == [sessions[0].device.string])
            try await server.sessions.logOutEverywhere(token: tokens[1])
            #expect(try await tokens.asyncMap { try await server.isValid($0) } == [false, false, false, true])
            #expect(try await errorCode { try await server.sessions.logOut(token: tokens[0]) } == "M_UNKNOWN_TOKEN")
            #expect(try await errorCode { _ = try await server.sessions.refresh(sessions[2].refreshToken ?? "") } == "M_UNKNOWN_TOKEN")
            #expect(try await database.read { try DeviceStore.devices(of: alice, on: $0).isEmpty })
        }
    }

    @Test("a refresh token stays good until what it was exchanged for is used", arguments: DatabaseKind.allCases)
    func rotation(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let alice = try await server.register("alice")
            let session = try await server.sessions.open(alice, device: "D", displayName: nil, withRefreshToken: true)
            let first = try #require(session.refreshToken)
            #expect(session.expiresInMilliseconds == 300_000)

            // The answer is lost: the client asks again, and the abandoned tokens are void.
            let lost = try await server.sessions.refresh(first)
            let second = try await server.sessions.refresh(first)
            #expect(try await !server.isValid(lost.accessToken))
            #expect(try await errorCode { _ = try await server.sessions.refresh(lost.refreshToken) } == "M_UNKNOWN_TOKEN")

            // The new access token is used: the old refresh token is void, the old access token runs out by itself.
            #expect(try await server.isValid(second.accessToken))
            #expect(try await errorCode { _ = try await server.sessions.refresh(first) } == "M_UNKNOWN_TOKEN")
            #expect(try await server.isValid(session.accessToken))

            // The next refresh token is used before its access token.
            let third = try await server.sessions.refresh(second.refreshToken)
            _ = try await server.sessions.refresh(third.refreshToken)
            #expect(try await errorCode { _ = try await server.sessions.refresh(second.refreshToken) } == "M_UNKNOWN_TOKEN")
        }
    }

    @Test(
        "an expired access token asks for a soft logout, in and out of the cache, and can still log out", arguments: DatabaseKind.allCases)
    func expiry(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let lifetimes = SessionLifetimes(refreshableAccessToken: .seconds(8))
            let server = try await AccountsFixture(database, lifetimes: lifetimes)
            let alice = try await server.register("alice")
            let session = try await server.sessions.open(alice, device: nil, displayName: nil, withRefreshToken: true)
            #expect(try await server.isValid(session.accessToken))
            try await Task.sleep(for: .milliseconds(8100))
            for server in [server, try await AccountsFixture(database)] {
                let error = await #expect(throws: MatrixError.self) {
                    _ = try await server.sessions.authenticate(token: session.accessToken)
                }
                #expect(error?.status == 401 && error?.extra["soft_logout"]?.bool == true)
            }
            try await server.sessions.logOut(token: session.accessToken)
            #expect(try await database.read { try DeviceStore.devices(of: alice, on: $0).isEmpty })
        }
    }

    @Test("a session that has reached its end cannot be refreshed", arguments: DatabaseKind.allCases)
    func sessionEnd(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database, lifetimes: SessionLifetimes(session: .milliseconds(100)))
            let alice = try await server.register("alice")
            let session = try await server.sessions.open(alice, device: nil, displayName: nil, withRefreshToken: true)
            try await Task.sleep(for: .milliseconds(150))
            #expect(try await errorCode { _ = try await server.sessions.refresh(session.refreshToken ?? "") } == "M_FORBIDDEN")
        }
    }

    @Test("device ids and names that cannot be stored are refused", arguments: ["", String(repeating: "x", count: 513), "a\0b"])
    func deviceID(device: String) async throws {
        try await withDatabase(.sqlite) { database in
            let server = try await AccountsFixture(database)
            let alice = try await server.register("alice")
            #expect(
                try await errorCode {
                    _ = try await server.sessions.open(alice, device: device, displayName: nil, withRefreshToken: false)
                } == "M_INVALID_PARAM")
        }
    }

    @Test("the use of a device is written with its newest address", arguments: DatabaseKind.allCases)
    func activity(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let server = try await AccountsFixture(database)
            let alice = try await server.register("alice")
            let session = try await server.sessions.open(alice, device: "D", displayName: nil, withRefreshToken: false)
            let requester = try await server.sessions.authenticate(token: session.accessToken)
            server.sessions.activity.note(requester, address: "192.0.2.1", userAgent: "Before")
            try await Task.sleep(for: .milliseconds(20))
            server.sessions.activity.note(requester, address: "192.0.2.2", userAgent: "Test")
            server.sessions.activity.note(requester, address: "192.0.2.2", userAgent: "Again")
            await server.sessions.activity.write()
            let row = try await database.read { try DeviceStore.device(DeviceID(trusted: "D"), of: alice, on: $0) }
            #expect(row?.lastSeenIP == "192.0.2.2" && row?.lastSeen != nil && row?.lastSeenUserAgent == "Test")
        }
    }
}

extension Sequence where Self: Sendable, Element: Sendable {
    func asyncMap<T>(isolation: isolated (any Actor)? = #isolation, _ transform: (Element) async throws -> T) async rethrows -> [T] {
        var results: [T] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
