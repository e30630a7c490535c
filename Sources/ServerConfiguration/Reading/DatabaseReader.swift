// The `database` section.

enum DatabaseReader {
    static func read(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard node.entries != nil else { return reading.fail(node, option, expected: "a mapping with name and args") }
        guard let nameNode = node["name"], let name = nameNode.textValue else {
            return reading.fail(node["name"] ?? node, "\(option).name", because: "expected sqlite3 or psycopg2")
        }
        for entry in node.entries ?? []
        where !["name", "args", "txn_limit", "allow_unsafe_locale", "statement_timeout"].contains(entry.key) {
            reading.warn(entry.keyLocation, "\(option).\(entry.key)", "is not a known option")
        }
        let arguments = node["args"].flatMap { $0.isNull ? nil : $0 }
        if let arguments, arguments.entries == nil { return reading.fail(arguments, "\(option).args", expected: "a mapping") }
        switch name {
        case "sqlite3": readSQLite(node, arguments, option, &reading)
        case "psycopg2": readPostgres(node, arguments, option, &reading)
        default: reading.fail(nameNode, "\(option).name", because: "found \(name), expected sqlite3 or psycopg2")
        }
    }

    private static func readSQLite(
        _ node: ConfigNode, _ arguments: ConfigNode?, _ option: String, _ reading: inout ConfigurationOption.Reading
    ) {
        guard let pathNode = arguments?["database"], !pathNode.isNull else {
            return reading.fail(
                arguments ?? node, "\(option).args.database", because: "found nothing, expected the path of the database file")
        }
        guard let path = pathNode.textValue, !path.isEmpty else {
            return reading.fail(pathNode, "\(option).args.database", expected: "the path of the database file")
        }
        guard path != ":memory:" else {
            return reading.fail(
                pathNode, "\(option).args.database", because: "found :memory:, expected the path of a file: nothing would survive a restart"
            )
        }
        reading.configuration.database = .sqlite(path: path)
    }

    private static func readPostgres(
        _ node: ConfigNode, _ arguments: ConfigNode?, _ option: String, _ reading: inout ConfigurationOption.Reading
    ) {
        var keywords: [String: String] = [:]
        var counts = ["cp_min": 5, "cp_max": 10]
        for entry in arguments?.entries ?? [] {
            let path = "\(option).args.\(entry.key)"
            if counts[entry.key] != nil {
                guard case .int(let count) = entry.node.value, (1...1000).contains(count) else {
                    reading.fail(entry.node, path, expected: "a number of connections from 1 to 1000")
                    continue
                }
                counts[entry.key] = count
            } else if entry.key.hasPrefix("cp_") {
                continue  // what else Twisted's pool can be told has no meaning for ours
            } else if !entry.node.isNull {
                guard let text = text(of: entry.node) else {
                    reading.fail(entry.node, path, expected: "text or a number")
                    continue
                }
                keywords[entry.key == "database" ? "dbname" : entry.key] = text
            }
        }
        let minimum = counts["cp_min"] ?? 5, maximum = counts["cp_max"] ?? 10
        if minimum > maximum {
            reading.fail(arguments ?? node, "\(option).args.cp_min", because: "found \(minimum), which is more than cp_max, \(maximum)")
        }
        var allowUnsafeLocale = false
        if let node = node["allow_unsafe_locale"], !node.isNull {
            guard case .bool(let value) = node.value else {
                return reading.fail(node, "\(option).allow_unsafe_locale", expected: "true or false")
            }
            allowUnsafeLocale = value
        }
        reading.configuration.database = .postgres(
            keywords: keywords, cpMin: minimum, cpMax: maximum, allowUnsafeLocale: allowUnsafeLocale)
    }

    private static func text(of node: ConfigNode) -> String? {
        if case .bool(let value) = node.value { return value ? "1" : "0" }
        return node.textValue
    }
}
