// Limits of actions, and users with limits of their own.

import Homeserver
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("Rate limiter")
struct RateLimiterTests {
    private static let (alice, bob) = (AccountsFixture.alice, AccountsFixture.bob)

    private func refusals(_ limiter: RateLimiter, _ action: RateLimitedAction, of user: UserID, times: Int) -> Int {
        (0..<times).count { _ in
            do { try limiter.check(action, of: user.text) } catch { return true }
            return false
        }
    }

    private var limiter: RateLimiter {
        var limits = RateLimits()
        limits.message = RateLimit(0.001, 2)
        limits.reports = RateLimit(0.001, 2)
        return RateLimiter(limits)
    }

    @Test("a user without limits is free of all of them, one with a limit of their own only has that one for messages")
    func overrides() {
        let limiter = limiter
        #expect(refusals(limiter, .message, of: Self.alice, times: 5) == 3)
        limiter.setOverride(RateLimitOverrideRow(messagesPerSecond: 0, burstCount: 0), for: Self.alice)
        #expect(refusals(limiter, .message, of: Self.alice, times: 5) == 0 && refusals(limiter, .reports, of: Self.alice, times: 5) == 0)
        limiter.setOverride(RateLimitOverrideRow(messagesPerSecond: 1, burstCount: 4), for: Self.bob)
        #expect(refusals(limiter, .message, of: Self.bob, times: 6) == 2 && refusals(limiter, .reports, of: Self.bob, times: 5) == 3)
        limiter.setOverride(nil, for: Self.alice)
        #expect(refusals(limiter, .message, of: Self.alice, times: 5) == 5)
    }

    @Test("what counts for a room or another user is free for whom no limits hold")
    func actor() throws {
        var limits = RateLimits()
        limits.invites.perUser = RateLimit(0.001, 1)
        limits.invites.perRoom = RateLimit(0.001, 1)
        let limiter = RateLimiter(limits)
        let room = RoomID(trusted: "!r:test")
        limiter.setOverride(RateLimitOverrideRow(messagesPerSecond: 0, burstCount: 0), for: Self.alice)
        for _ in 0..<5 { try limiter.checkInvite(of: Self.bob, to: room, by: Self.alice) }
        try limiter.checkInvite(of: Self.alice, to: room, by: Self.bob)
        #expect(throws: MatrixError.self) { try limiter.checkInvite(of: Self.alice, to: room, by: Self.bob) }
    }

    @Test("keys are asked of so many other users, and of one's own devices as often as one likes")
    func keyRequests() throws {
        var limits = RateLimits()
        limits.keyRequests = RateLimit(0.001, 2)
        let limiter = RateLimiter(limits)
        let body = #"{"messages":{"@a:test":{"*":{}},"@b:test":{"*":{}},"@c:test":{"*":{}},"@alice:test":{"*":{}}}}"#
        for (type, expected) in [
            ("m.room_key_request", ["@a:test", "@alice:test", "@b:test"]), ("m.dummy", ["@a:test", "@alice:test", "@b:test", "@c:test"]),
        ] {
            var request = try ToDeviceRequest(type: ByteString(type), json(body))
            request.limitKeyRequests(by: Requester(user: Self.alice, device: DeviceID(trusted: "D")), limiter)
            #expect(request.recipients.map(\.user.string) == expected)
        }
    }

    @Test("redactions of others' events count apart only where there is a limit for them")
    func redactions() throws {
        var limits = RateLimits()
        limits.message = RateLimit(0.001, 1)
        let common = RateLimiter(limits)
        try common.check(.redact(own: false), by: Self.alice)
        #expect(throws: MatrixError.self) { try common.check(.send, by: Self.alice) }
        limits.adminRedaction = RateLimit(0.001, 1)
        let apart = RateLimiter(limits)
        try apart.check(.redact(own: false), by: Self.alice)
        try apart.check(.redact(own: true), by: Self.alice)
        #expect(throws: MatrixError.self) { try apart.check(.redact(own: false), by: Self.alice) }
    }

    @Test("overrides are there after a restart, until they are taken back", arguments: DatabaseKind.allCases)
    func stored(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            let override = RateLimitOverrideRow(messagesPerSecond: 0, burstCount: 0)
            try await RateLimitOverrides(database: database, limiter: limiter).set(override, for: Self.alice)
            let limiter = limiter
            let overrides = RateLimitOverrides(database: database, limiter: limiter)
            try await overrides.restore()
            #expect(try await overrides.override(for: Self.alice) == override)
            #expect(refusals(limiter, .message, of: Self.alice, times: 5) == 0)
            try await overrides.remove(for: Self.alice)
            #expect(try await overrides.override(for: Self.alice) == nil)
            #expect(refusals(limiter, .message, of: Self.alice, times: 5) == 3)
        }
    }
}
