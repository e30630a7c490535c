// The options about how long messages are kept.

enum RetentionOptions {
    static let all: [ConfigurationOption] = [
        .section(
            "retention",
            [
                .bool("enabled", \.retention.isEnabled),
                .section(
                    "default_policy",
                    [
                        .duration("min_lifetime", \.retention.minLifetime),
                        .duration("max_lifetime", \.retention.maxLifetime),
                    ]),
                .duration("allowed_lifetime_min", \.retention.shortestAllowed),
                .duration("allowed_lifetime_max", \.retention.longestAllowed),
                .custom("purge_jobs", purgeJobs),
            ]),
        .bool("enable_ephemeral_messages", \.retention.allowsSelfDestruction),
    ]

    private static func purgeJobs(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        if node.isNull { return }
        guard let list = node.list else { return reading.fail(node, option, expected: "a list of jobs") }
        for (index, element) in list.enumerated() {
            if let job = purgeJob(element, "\(option)[\(index)]", &reading) { reading.configuration.retention.purgeJobs.append(job) }
        }
    }

    private static func purgeJob(
        _ node: ConfigNode, _ path: String, _ reading: inout ConfigurationOption.Reading
    ) -> RetentionConfiguration.PurgeJob? {
        func duration(_ name: String) -> Duration? {
            guard let value = node[name], !value.isNull else { return nil }
            if let duration = Units.duration(value) { return duration }
            reading.fail(value, "\(path).\(name)", expected: ConfigurationOption.durationInWords)
            return nil
        }
        var job = RetentionConfiguration.PurgeJob()
        guard node["interval"] != nil else {
            reading.fail(node, path, because: "found no interval, expected \(ConfigurationOption.durationInWords)")
            return nil
        }
        guard let interval = duration("interval") else { return nil }
        guard interval >= .seconds(1) else {
            reading.fail(node, "\(path).interval", because: "must be at least a second")
            return nil
        }
        job.interval = interval
        job.longerThan = duration("shortest_max_lifetime")
        job.upTo = duration("longest_max_lifetime")
        if let shortest = job.longerThan, let longest = job.upTo, shortest > longest {
            reading.fail(node, path, because: "shortest_max_lifetime must not be longer than longest_max_lifetime")
        }
        return job
    }

    /// What must not contradict itself: the option and why.
    static func contradictions(in retention: RetentionConfiguration) -> [(option: String, reason: String)] {
        var found: [(option: String, reason: String)] = []
        if let least = retention.minLifetime, let most = retention.maxLifetime, least > most {
            found.append(("retention.default_policy", "min_lifetime must not be longer than max_lifetime"))
        }
        if let least = retention.shortestAllowed, let most = retention.longestAllowed, least > most {
            found.append(("retention.allowed_lifetime_min", "must not be longer than allowed_lifetime_max"))
        }
        return found
    }
}
