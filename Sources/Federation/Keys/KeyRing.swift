// Other servers' keys: from memory, from the database, from their servers, from notaries. Server-Server API §Retrieving server keys.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Has the keys with which other servers sign, or gets them. Of each server one fetch is under way at most, whoever waits for it.
package actor KeyRing {
    /// Whether the servers are known to be there.
    package enum Urgency: Sendable {
        /// They have just asked something: they are asked for their keys, whatever happened before.
        case alive
        /// They may be gone for years: those that did not answer lately are left alone.
        case any
    }

    private let own: ServerKeys
    private let serverName: ServerName
    private let configuration: FederationConfiguration
    private let source: any KeySource
    private let database: any Database
    private let logger: Logger
    private let clock: @Sendable () -> Timestamp

    private var cache = KeyCache()
    private var allowances = RecentCache<ServerName, FetchAllowance>(capacity: 10_000)
    private var running: [ServerName: Task<Void, Never>] = [:]

    /// From so many servers on, notaries are asked first: one request instead of many.
    private static let fewServers = 4
    /// How many servers one request to a notary is about.
    private static let batchSize = 100
    /// How many servers are asked at once.
    private static let width = 16

    /// - Parameter ownKeys: with which this server signs.
    package init(
        serverName: ServerName, ownKeys: [SigningKey], configuration: FederationConfiguration, source: any KeySource,
        database: any Database, logger: Logger, clock: @escaping @Sendable () -> Timestamp = { .now }
    ) {
        self.serverName = serverName
        self.configuration = configuration
        self.source = source
        self.database = database
        self.logger = logger
        self.clock = clock
        var own = ServerKeys()
        for key in ownKeys {
            own[serverName, ByteString(key.keyID)] = ServerKey(key.verifyKey, validUntil: Timestamp(milliseconds: .max))
        }
        self.own = own
    }

    /// The keys that are wanted, as far as they can be had. Whether one is valid at the time that matters, those see who verify with it.
    package func keys(for requirements: [ServerKeyRequirement], _ urgency: Urgency = .any) async -> ServerKeys {
        var keys = own
        var missing = requirements.filter { $0.server != serverName && configuration.allows($0.server) }
        missing = cache.fill(&keys, missing)
        if missing.isEmpty { return keys }
        await load(missing)
        missing = cache.fill(&keys, missing)
        // Twice: the first fetch that is waited for may have been for somebody else's key.
        for _ in 0..<2 where !missing.isEmpty {
            let hasWaited = await fetch(missing, urgency)
            missing = cache.fill(&keys, missing)
            if !hasWaited { break }
        }
        return keys
    }

    /// Asks a server for its document, for the sake of others who ask us.
    package func refresh(_ server: ServerName) async {
        guard server != serverName, configuration.allows(server) else { return }
        if let task = running[server] { return await task.value }
        guard mayFetch(server) else { return }
        await run([server]) { await self.fetchDirectly([server: [:]], .alive) }
        noteFetch(server, isFruitful: false)
    }

    // MARK: Steps

    private func load(_ missing: [ServerKeyRequirement]) async {
        let servers = Array(Set(missing.map(\.server))), keyIDs = Array(Set(missing.map(\.keyID)))
        do {
            // What is no text for a database names no key that is in it.
            let names = keyIDs.filter { !$0.string.utf8.contains(0) }
            cache.insert(try await database.read { try ServerKeyStore.keys(of: servers, named: names, on: $0) })
        } catch {
            logger.warning("cannot read keys", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: whether a fetch was waited for that others had begun.
    private func fetch(_ missing: [ServerKeyRequirement], _ urgency: Urgency) async -> Bool {
        let wanted = missing.byServer
        let awaited = wanted.keys.compactMap { running[$0] }
        let new = wanted.filter { running[$0.key] == nil && mayFetch($0.key) }
        if !new.isEmpty { await run(Array(new.keys)) { await self.fetch(new, urgency) } }
        for task in awaited { await task.value }
        return !awaited.isEmpty
    }

    /// Runs `body` as the one fetch for these servers.
    private func run(_ servers: [ServerName], _ body: @escaping @Sendable () async -> Void) async {
        let task = Task { await body() }
        for server in servers { running[server] = task }
        await task.value
        for server in servers { running[server] = nil }
    }

    private func fetch(_ wanted: WantedKeys, _ urgency: Urgency) async {
        var rest = wanted
        let asksNotariesFirst = wanted.count > Self.fewServers
        if asksNotariesFirst { rest = await fetchFromNotaries(rest) }
        rest = await fetchDirectly(rest, urgency)
        if !asksNotariesFirst { rest = await fetchFromNotaries(rest) }
        for server in wanted.keys { noteFetch(server, isFruitful: rest[server] == nil) }
    }

    /// - Returns: what is still missing. So does the next.
    @discardableResult
    private func fetchDirectly(_ wanted: WantedKeys, _ urgency: Urgency) async -> WantedKeys {
        let source = source
        let documents = await withTaskGroup(of: KeyDocument?.self) { group in
            var found: [KeyDocument] = []
            for (index, server) in wanted.keys.enumerated() {
                if index >= Self.width, let document = await group.next() { found += document.map { [$0] } ?? [] }
                group.addTask { await source.document(of: server, isAlive: urgency == .alive) }
            }
            for await document in group { found += document.map { [$0] } ?? [] }
            return found
        }
        await accept(documents)
        return missing(of: wanted)
    }

    private func fetchFromNotaries(_ wanted: WantedKeys) async -> WantedKeys {
        var rest = wanted
        for notary in configuration.keyServers where notary.name != serverName && !rest.isEmpty {
            // A notary's own keys are its own business.
            let asked = rest.filter { $0.key != notary.name }
            guard !asked.isEmpty, let keys = await keys(of: notary) else { continue }
            let requirements = asked.flatMap { server, keys in
                keys.map { ServerKeyRequirement(server: server, keyID: $0.key, minimumValidUntil: $0.value) }
            }
            for start in stride(from: 0, to: requirements.count, by: Self.batchSize) {
                let batch = Array(requirements[start..<min(start + Self.batchSize, requirements.count)])
                await accept(await source.documents(from: notary, keys: batch, notaryKeys: keys))
            }
            rest = missing(of: rest)
        }
        return rest
    }

    /// With which a notary's answers are verified; nil where they are not to be had.
    private func keys(of notary: FederationConfiguration.KeyServer) async -> ServerKeys? {
        var keys = ServerKeys()
        if !notary.verifyKeys.isEmpty || notary.acceptsKeysInsecurely { return keys }
        guard mayFetch(notary.name), let document = await source.document(of: notary.name, isAlive: false) else {
            noteFetch(notary.name, isFruitful: false)
            return nil
        }
        for row in document.keys {
            if let key = VerifyKey(base64: row.verifyKey) { keys[notary.name, row.keyID] = ServerKey(key, validUntil: row.validUntil) }
        }
        return keys
    }

    private func accept(_ documents: [KeyDocument]) async {
        let documents = documents.filter { configuration.allows($0.server) && $0.server != serverName }
        guard !documents.isEmpty else { return }
        do {
            try await database.write { connection in
                // In one order, as with the keys.
                for document in documents.sorted(by: { $0.server < $1.server }) {
                    try ServerKeyStore.store(document.row, keys: document.keys, on: connection)
                }
            }
            // What is stored may be newer than what has come.
            let servers = documents.map(\.server), names = documents.flatMap { $0.keys.map(\.keyID) }
            cache.insert(try await database.read { try ServerKeyStore.keys(of: servers, named: names, on: $0) })
        } catch {
            logger.warning("cannot store keys", metadata: ["error": "\(error)"])
            cache.insert(documents.flatMap(\.keys))
        }
    }

    private func missing(of wanted: WantedKeys) -> WantedKeys {
        var keys = ServerKeys()
        let requirements = wanted.flatMap { server, keys in
            keys.map { ServerKeyRequirement(server: server, keyID: $0.key, minimumValidUntil: $0.value) }
        }
        return cache.fill(&keys, requirements).byServer
    }

    private func mayFetch(_ server: ServerName) -> Bool {
        allowances.value(for: server)?.allows(at: clock()) ?? true
    }

    private func noteFetch(_ server: ServerName, isFruitful: Bool) {
        var allowance = allowances.value(for: server) ?? FetchAllowance()
        allowance.note(isFruitful: isFruitful, at: clock())
        allowances.insert(allowance, for: server)
    }
}
