// Finds servers and remembers where they are. Server-Server API §Resolving server names.

import CShims
import Logging
import MatrixCore
import NIOPosix
import Persistence
import Synchronization

/// What discovery asks of the world.
package protocol DiscoverySource: Sendable {
    /// Follows redirects within limits.
    func wellKnown(of host: String) async -> WellKnownEntry.Outcome
    /// The SRV records of a name.
    func services(of name: String) async -> SRVAnswer
}

package enum SRVAnswer: Sendable, Hashable {
    case records([SRVRecord])
    /// No name server said so or so.
    case failed
}

/// Remembers what servers' names lead to. A name that many ask for at once is looked up once.
package actor ServerResolver {
    /// The server cannot be reached by its name.
    package struct Unavailable: Error, Sendable {}

    private struct Services {
        var records: [SRVRecord]
        var expiresAt: Timestamp
    }

    private struct Memory {
        var wellKnowns = RecentCache<ByteString, WellKnownEntry>(capacity: 10_000)
        var services = RecentCache<ByteString, Services>(capacity: 10_000)
    }

    private let source: any DiscoverySource
    private let clock: @Sendable () -> Timestamp
    /// Changed by the actor only; who looks for a server that is known need not wait for it.
    private nonisolated let memory = Mutex(Memory())
    private var running: [ServerName: Task<ServerRoute?, Never>] = [:]

    /// Bounds of what the DNS says about how long it may be remembered, in seconds.
    private static let lifetimes = 60...86_400
    private static let negativeLifetime: Int64 = 300_000
    private static let failureLifetime: Int64 = 60_000

    package init(source: any DiscoverySource, clock: @escaping @Sendable () -> Timestamp = { .now }) {
        self.source = source
        self.clock = clock
    }

    /// - Throws: `Unavailable`.
    package nonisolated func route(to server: ServerName) async throws(Unavailable) -> ServerRoute {
        if let route = remembered(server) { return route }
        return try await find(server)
    }

    /// The route by what memory has; nil where something has to be asked.
    private nonisolated func remembered(_ server: ServerName) -> ServerRoute? {
        var discovery = ServerDiscovery(server)
        let now = clock()
        return memory.withLock { memory in
            while true {
                switch discovery.step {
                case .wellKnown(let host):
                    guard let entry = memory.wellKnowns.value(for: ByteString(host.lowercased())), now < entry.refreshAt else { return nil }
                    discovery.wellKnown(entry.delegated)
                case .services(let name):
                    guard let found = memory.services.value(for: ByteString(name.lowercased())), now < found.expiresAt else { return nil }
                    var generator = SystemRandomNumberGenerator()
                    discovery.services(SRVRecord.ordered(found.records, using: &generator))
                case .found(let route): return route
                case .unavailable: return nil
                }
            }
        }
    }

    private func find(_ server: ServerName) async throws(Unavailable) -> ServerRoute {
        let task: Task<ServerRoute?, Never>
        if let underWay = running[server] {
            task = underWay
        } else {
            task = Task {
                let route = await self.resolve(server)
                self.running[server] = nil
                return route
            }
            running[server] = task
        }
        guard let route = await task.value else { throw Unavailable() }
        return route
    }

    private func resolve(_ server: ServerName) async -> ServerRoute? {
        var discovery = ServerDiscovery(server)
        while true {
            switch discovery.step {
            case .wellKnown(let host): discovery.wellKnown(await delegate(of: host))
            case .services(let name):
                var generator = SystemRandomNumberGenerator()
                discovery.services(SRVRecord.ordered(await records(of: name), using: &generator))
            case .found(let route): return route
            case .unavailable: return nil
            }
        }
    }

    private func delegate(of host: String) async -> ServerName? {
        let key = ByteString(host.lowercased())
        let known = memory.withLock { $0.wellKnowns.value(for: key) }
        if let known, clock() < known.refreshAt { return known.delegated }
        let outcome = await source.wellKnown(of: host)
        let entry = WellKnownEntry(outcome, after: known, at: clock())
        memory.withLock { $0.wellKnowns.insert(entry, for: key) }
        return entry.delegated
    }

    private func records(of name: String) async -> [SRVRecord] {
        let key = ByteString(name.lowercased())
        let known = memory.withLock { $0.services.value(for: key) }
        if let known, clock() < known.expiresAt { return known.records }
        let found: Services
        switch await source.services(of: name) {
        case .records(let records):
            let seconds = records.map(\.lifetime).min().map { min(max($0, Self.lifetimes.lowerBound), Self.lifetimes.upperBound) }
            found = Services(
                records: records, expiresAt: clock().advanced(byMilliseconds: seconds.map { Int64($0) * 1000 } ?? Self.negativeLifetime))
        case .failed:
            // What was known before is better than nothing.
            found = Services(records: known?.records ?? [], expiresAt: clock().advanced(byMilliseconds: Self.failureLifetime))
        }
        memory.withLock { $0.services.insert(found, for: key) }
        return found.records
    }
}

/// The network: HTTPS and the DNS.
package struct NetworkDiscovery: DiscoverySource {
    private let http: OutboundHTTP
    private let logger: Logger

    private static let redirectLimit = 5
    private static let bodyLimit = 50 * 1024
    private static let timeout: Duration = .seconds(15)

    package init(_ connections: OutboundConnections, logger: Logger) {
        http = OutboundHTTP(connections, timeout: Self.timeout, bodyLimit: Self.bodyLimit)
        self.logger = logger
    }

    package func wellKnown(of host: String) async -> WellKnownEntry.Outcome {
        var url = "https://\(host)/.well-known/matrix/server"
        for _ in 0...Self.redirectLimit {
            do throws(OutboundFailure) {
                let answer = try await http.send(OutboundHTTP.Request(url))
                guard [301, 302, 303, 307, 308].contains(answer.status) else {
                    return WellKnownEntry.Outcome(status: answer.status, headers: answer.headers, body: answer.body, at: .now)
                }
                guard let next = answer.header("location").flatMap({ Self.redirected($0, from: url) }) else { return .invalid }
                url = next
            } catch {
                logger.debug("no .well-known", metadata: ["host": "\(host)", "error": "\(error)"])
                return .invalid
            }
        }
        return .invalid
    }

    /// Where a redirect leads; nil where it does not lead to HTTPS.
    package static func redirected(_ location: String, from url: String) -> String? {
        if location.lowercased().hasPrefix("https://") { return location }
        guard let base = OutboundURL(url) else { return nil }
        if location.hasPrefix("//") { return "https:\(location)" }
        return location.hasPrefix("/") ? "https://\(base.server)\(location)" : nil
    }

    package func services(of name: String) async -> SRVAnswer {
        do {
            return try await ResolverThreads.pool.runIfActive { Self.askServices(of: name) }
        } catch {
            return .failed
        }
    }

    private static func askServices(of name: String) -> SRVAnswer {
        var answer = [UInt8](repeating: 0, count: 8192)
        let length = martlet_dns_query(name, Int32(DNSMessage.serviceType), &answer, answer.count)
        guard length >= 0 else { return length == -MARTLET_DNS_NONE ? .records([]) : .failed }
        guard let records = DNSMessage.services(in: Array(answer.prefix(Int(length)))) else { return .failed }
        return .records(records)
    }
}
