// How long messages are kept.

import MatrixCore
import ServerConfiguration
import Testing

@Suite struct RetentionOptionsTests {
    @Test("policy, limits and jobs")
    func values() throws {
        let retention = try settings(
            """
            retention:
              enabled: true
              default_policy: {min_lifetime: 1d, max_lifetime: 1y}
              allowed_lifetime_min: 2d
              allowed_lifetime_max: 2y
              purge_jobs:
                - {interval: 12h, longest_max_lifetime: 3d}
                - {interval: 86400000, shortest_max_lifetime: 3d}
            enable_ephemeral_messages: true
            experimental_features: {msc1763_enabled: true}
            """
        ).retention
        #expect(retention.isEnabled && retention.isTold && retention.allowsSelfDestruction)
        #expect(retention.defaultPolicy == RetentionPolicy(minLifetime: 86_400_000, maxLifetime: 365 * 86_400_000))
        #expect(retention.shortestAllowed == .seconds(2 * 86_400) && retention.longestAllowed == .seconds(730 * 86_400))
        #expect(retention.purgeJobs.map(\.interval) == [.seconds(43_200), .seconds(86_400)])
        #expect(retention.purgeJobs.map(\.upTo) == [.seconds(3 * 86_400), nil])
        #expect(retention.purgeJobs.map(\.longerThan) == [nil, .seconds(3 * 86_400)])
        let plain = try settings("").retention
        #expect(!plain.isEnabled && plain.purgeJobs.isEmpty && plain.defaultPolicy == RetentionPolicy())
    }

    @Test(
        "what cannot be meant is an error",
        arguments: [
            "retention: {enabled: perhaps}", "retention: {default_policy: {min_lifetime: 2d, max_lifetime: 1d}}",
            "retention: {allowed_lifetime_min: 2d, allowed_lifetime_max: 1d}", "retention: {purge_jobs: [{longest_max_lifetime: 1d}]}",
            "retention: {purge_jobs: [{interval: soon}]}", "retention: {purge_jobs: [{interval: 0}]}",
            "retention: {purge_jobs: [{interval: 1d, shortest_max_lifetime: 2d, longest_max_lifetime: 1d}]}",
        ])
    func errors(text: String) throws {
        let result = try read(text)
        #expect(result.configuration == nil && result.errors.count == 1)
    }
}
