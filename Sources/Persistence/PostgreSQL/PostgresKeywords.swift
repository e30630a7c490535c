// The connection keywords: what the configuration says, and what we add.

import CLibpq

/// libpq's connection keywords, checked and completed.
package struct PostgresKeywords: Sendable {
    package private(set) var values: [String: String]

    /// What every session is set to. What the configuration's `options` say comes later and wins.
    ///
    /// - `statement_timeout`: 60 s; the longest statement of ours takes a fraction of that.
    /// - `idle_in_transaction_session_timeout`: frees the locks of a process that hangs.
    /// - `plan_cache_mode`: our statements are short and served by one index each, planning would cost more than running.
    /// - `enable_seqscan`: a plan is made once, often while a table is still empty. Read from end to end then, it would be so for as long as
    ///   the plan lives, however large the table has become.
    /// - `jit`: compiling would cost more than any statement of ours gains.
    private static let sessionOptions =
        "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000 -c default_transaction_isolation=read\\ committed"
        + " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"

    /// Kept when the configuration does not say otherwise. A peer that is gone is noticed after half a minute.
    private static let defaults = [
        "fallback_application_name": "martlet", "connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10",
        "keepalives_count": "3", "tcp_user_timeout": "30000",
    ]

    /// - Parameter arguments: psycopg2's keywords, which are libpq's but for `database` and `dsn`; Synapse's `cp_…` are skipped.
    /// - Throws: `.refused`, naming the keyword, where libpq does not know one.
    package init(_ arguments: [String: String]) throws(DatabaseError) {
        var given = arguments.filter { !$0.key.hasPrefix("cp_") }
        if let database = given.removeValue(forKey: "database") { given["dbname"] = given["dbname"] ?? database }
        if let name = given["dbname"], Self.isAddress(name) {
            given["dbname"] = nil
            given["dsn"] = name
        }
        if let address = given.removeValue(forKey: "dsn") {
            given.merge(try Self.parse(address: address)) { fromArguments, _ in fromArguments }
        }
        let known = Self.knownKeywords()
        if let unknown = given.keys.sorted().first(where: { !known.contains($0) }) {
            throw DatabaseError(.refused, "the database option '\(unknown)' is not one of libpq's connection keywords")
        }
        values = given.merging(Self.defaults) { given, _ in given }
        values["options"] = Self.sessionOptions + (given["options"].map { " " + $0 } ?? "")
        values["client_encoding"] = "UTF8"
    }

    /// Opens a connection; waits until it stands or has failed.
    func connect() -> OpaquePointer? {
        var storage: [[CChar]] = []
        for (key, value) in values {
            storage.append(Array(key.utf8CString))
            storage.append(Array(value.utf8CString))
        }
        // The inner arrays must stay where they are during the call: one buffer, and offsets into it.
        let bytes = storage.flatMap { $0 }
        return bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var keys: [UnsafePointer<CChar>?] = []
            var texts: [UnsafePointer<CChar>?] = []
            var offset = 0
            for (index, text) in storage.enumerated() {
                let pointer = buffer.baseAddress.map { $0 + offset }
                if index % 2 == 0 { keys.append(pointer) } else { texts.append(pointer) }
                offset += text.count
            }
            return PQconnectdbParams(keys + [nil], texts + [nil], 0)
        }
    }

    /// libpq takes a whole address for a `dbname` too.
    private static func isAddress(_ name: String) -> Bool {
        name.utf8.contains(UInt8(ascii: "=")) || name.hasPrefix("postgresql://") || name.hasPrefix("postgres://")
    }

    /// The keywords that a `postgresql://` address or a `key=value` text stands for.
    private static func parse(address: String) throws(DatabaseError) -> [String: String] {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(address, &message) else {
            defer { PQfreemem(message) }
            // The message may quote the address, and with it a password: only its nature is told.
            throw DatabaseError(.refused, "the database's address is not a valid PostgreSQL connection string")
        }
        defer { PQconninfoFree(options) }
        return entries(options)
    }

    private static func knownKeywords() -> Set<String> {
        guard let options = PQconndefaults() else { return [] }
        defer { PQconninfoFree(options) }
        return Set(keywords(options))
    }

    private static func keywords(_ options: UnsafeMutablePointer<PQconninfoOption>) -> [String] {
        var result: [String] = []
        var option = options
        while let keyword = option.pointee.keyword {
            result.append(String(cString: keyword))
            option += 1
        }
        return result
    }

    private static func entries(_ options: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
        var result: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { result[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return result
    }
}
