// When requests are tried again, and servers left alone.

import Federation
import MatrixCore
import Persistence
import ServerConfiguration
import TestSupport
import Testing

@Suite("Tries")
struct RetryScheduleTests {
    private static func pauses(_ kind: RetrySchedule.Kind) -> [Double] {
        var schedule = RetrySchedule(kind, FederationConfiguration.Retries())
        var pauses: [Double] = []
        while let pause = schedule.next(jitter: 1) { pauses.append(pause / .seconds(1)) }
        return pauses
    }

    @Test(
        "the pauses grow to a limit, and their number is limited",
        arguments: [
            (.none, []), (.short, [0.5, 1, 2]), (.long, [4, 16, 60, 60, 60, 60, 60, 60, 60, 60]),
        ] as [(RetrySchedule.Kind, [Double])])
    func pauses(kind: RetrySchedule.Kind, expected: [Double]) {
        #expect(Self.pauses(kind) == expected)
    }

    @Test(
        "what an answer says about its server",
        arguments: [
            (200, .answers), (400, .answers), (401, .fails), (403, .answers), (404, .answers), (429, .fails), (500, .fails), (502, .fails),
            (nil, .fails),
        ] as [(Int?, ServerHealth)])
    func health(status: Int?, health: ServerHealth) {
        #expect(ServerHealth(status: status) == health)
    }

    @Test("where every homeserver has the endpoint, there is none that has not")
    func goneServer() {
        #expect(ServerHealth(status: 404, isEndpointRequired: true) == .fails)
    }

    @Test("each failure after a pause makes the pause longer, to a limit; an answer ends it")
    func backoff() {
        let retries = FederationConfiguration.Retries()
        var backoff = DestinationBackoff()
        var now = Timestamp(milliseconds: 1_000_000)
        let begin = now
        var minutes: [Int64] = []
        for _ in 0..<12 {
            let isChanged = backoff.note(.fails, at: now, retries, jitter: 1)
            #expect(isChanged)
            // Those under way do not count.
            let isCounted = backoff.note(.fails, at: now.advanced(byMilliseconds: 5), retries, jitter: 1)
            #expect(!isCounted)
            guard let until = backoff.pausedUntil(at: now) else {
                Issue.record("no pause")
                return
            }
            minutes.append(until.milliseconds(since: now) / 60_000)
            now = until
        }
        #expect(minutes == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_080, 10_080])
        #expect(backoff.failure?.failedSince == begin)
        let ends = backoff.note(.answers, at: now, retries), endsAgain = backoff.note(.answers, at: now, retries)
        #expect(ends && !endsAgain && backoff.failure == nil && backoff.pausedUntil(at: now) == nil)
    }

    @Test("a pause survives a restart, and its end does", arguments: DatabaseKind.allCases)
    func restart(kind: DatabaseKind) async throws {
        try await withDatabase(kind) { database in
            func destinations() -> Destinations {
                Destinations(database: database, retries: FederationConfiguration.Retries(), logger: DatabaseFixture.logger)
            }
            let server = ServerName(trusted: "gone.example")
            try await destinations().note(.fails, of: server)
            let again = destinations()
            #expect(try await again.pausedUntil(server) != nil)
            #expect(try await database.read { try DestinationStore.failing(limit: 10, on: $0) }.map(\.server) == [server])
            try await again.note(.answers, of: server)
            #expect(try await again.pausedUntil(server) == nil)
            #expect(try await destinations().pausedUntil(server) == nil)
            #expect(try await database.read { try DestinationStore.failing(limit: 10, on: $0) }.isEmpty)
        }
    }
}
