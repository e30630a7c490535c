// Connections to other servers: made only to addresses that pass the operator's rules, and kept for the next request.

import MatrixCore
import NIOCore
import NIOHTTP1
import NIOPosix
import ServerConfiguration
import Synchronization

/// A request as it goes over a connection.
package struct OutboundMessage: Sendable {
    package var method: String
    /// Path and query, percent-encoded.
    package var target: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]?

    /// Whether doing it twice is doing it once.
    var isIdempotent: Bool { method != "POST" }

    /// A target that would make lines of its own is no target.
    var isWellFormed: Bool { target.hasPrefix("/") && target.utf8.allSatisfy { (0x21...0x7E).contains($0) } }
}

package struct OutboundAnswer: Sendable {
    package let status: Int
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]
    /// In place of `body`, where it was asked for: the body as it comes. It fails with an `ExchangeFailure`.
    package var stream: ByteQueue?

    /// The first value of a field.
    package func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
}

/// Where a connection leads.
package struct OutboundEndpoint: Sendable, Hashable {
    /// A host's name, or an address without brackets.
    package let host: ByteString
    package let port: Int
    /// The name that the other side's certificate must hold; nil: no TLS.
    package let tlsName: ByteString?

    package init(host: String, port: Int, tlsName: String?) {
        self.host = ByteString(host)
        self.port = port
        self.tlsName = tlsName.map { ByteString($0) }
    }
}

/// Makes connections and keeps them for a while.
///
/// A host is looked up here, and what is connected to is the very address that was checked: a second lookup could say something else.
package final class OutboundConnections: Sendable {
    private let policy: OutboundConfiguration
    private let tls: OutboundTLS
    private let idle = IdleBox()

    /// What connections tell of their end.
    private final class IdleBox: Sendable {
        let connections = Mutex(IdleConnections<any Channel>())
    }

    /// How many addresses of one host are tried.
    private static let addressLimit = 3
    private static let connectTimeout = TimeAmount.seconds(10)

    package init(policy: OutboundConfiguration, tls: OutboundTLS) {
        self.policy = policy
        self.tls = tls
    }

    /// - Parameters:
    ///   - timeout: for the whole of it, from the lookup to the last byte.
    ///   - bodyLimit: bytes of the answer.
    ///   - isStreamed: the body of a good answer is handed on as it comes; `timeout` goes to its head then.
    package func exchange(
        _ message: OutboundMessage, with endpoint: OutboundEndpoint, timeout: Duration, bodyLimit: Int, isStreamed: Bool = false
    ) async throws(OutboundFailure) -> OutboundAnswer {
        guard message.isWellFormed else { throw .refused("the path is not well formed") }
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        if let waiting = takeIdle(endpoint) {
            do {
                return try await run(message, on: waiting, endpoint, deadline, bodyLimit, isStreamed)
            } catch ExchangeFailure.closed(isBegun: false) where message.isIdempotent {
                // It was closed while it waited: the request goes over a new one.
            } catch {
                throw Self.failure(error)
            }
        }
        var failure = OutboundFailure.failed("\(endpoint.host) has no address")
        for address in try await addresses(of: endpoint.host.string, deadline) {
            let connection: IdleConnections<any Channel>.Entry
            do {
                connection = try await connect(to: address, endpoint, deadline)
            } catch {
                failure = .failed("cannot connect to \(endpoint.host): \(error)")
                continue
            }
            do {
                return try await run(message, on: connection, endpoint, deadline, bodyLimit, isStreamed)
            } catch {
                throw Self.failure(error)
            }
        }
        throw failure
    }

    // MARK: Steps

    /// A connection that waits, and is still there.
    private func takeIdle(_ endpoint: OutboundEndpoint) -> IdleConnections<any Channel>.Entry? {
        while let entry = idle.connections.withLock({ $0.take(endpoint) }) {
            if entry.connection.isActive { return entry }
        }
        return nil
    }

    private func run(
        _ message: OutboundMessage, on entry: IdleConnections<any Channel>.Entry, _ endpoint: OutboundEndpoint, _ deadline: NIODeadline,
        _ bodyLimit: Int, _ isStreamed: Bool
    ) async throws -> OutboundAnswer {
        let channel = entry.connection
        let promise = channel.eventLoop.makePromise(of: Exchange.Outcome.self)
        let exchange = Exchange(
            message: message, bodyLimit: bodyLimit, deadline: deadline, isStreamed: isStreamed,
            onFree: { [idle] in idle.connections.withLock { $0.keep(entry, endpoint) }?.close(promise: nil) }, promise: promise)
        let outcome = try await withTaskCancellationHandler {
            // Where the channel is gone before its handler sees the request, nobody else says so.
            channel.writeAndFlush(exchange).whenFailure { _ in promise.fail(ExchangeFailure.closed(isBegun: false)) }
            return try await promise.futureResult.get()
        } onCancel: {
            channel.close(promise: nil)
        }
        if outcome.isReusable { idle.connections.withLock { $0.keep(entry, endpoint) }?.close(promise: nil) }
        return outcome.answer
    }

    private func connect(
        to address: String, _ endpoint: OutboundEndpoint, _ deadline: NIODeadline
    ) async throws -> IdleConnections<any Channel>.Entry {
        let target = try SocketAddress(ipAddress: address, port: endpoint.port)
        let remaining = deadline - .now()
        guard remaining > .zero else { throw ExchangeFailure.timedOut }
        let tls = tls
        // Who asks from the thread of a loop gets a connection there.
        let loop = MultiThreadedEventLoopGroup.currentEventLoop ?? MultiThreadedEventLoopGroup.singleton.next()
        let channel = try await ClientBootstrap(group: loop)
            .connectTimeout(min(remaining, Self.connectTimeout))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let name = endpoint.tlsName { try pipeline.addHandler(tls.handler(for: name.string)) }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(ExchangeHandler())
                }
            }
            .connect(to: target).get()
        let entry = idle.connections.withLock { $0.entry(for: channel) }
        channel.closeFuture.whenComplete { [idle] _ in
            idle.connections.withLock { $0.remove(entry.number, endpoint) }
        }
        return entry
    }

    /// The addresses of a host that this server may connect to.
    private func addresses(of host: String, _ deadline: NIODeadline) async throws(OutboundFailure) -> [String] {
        let found: [String]
        do {
            found = AddressRange.Address(host) == nil ? try await HostAddresses.lookUp(host) : [host]
        } catch {
            throw .failed("\(host) was not looked up")
        }
        guard NIODeadline.now() < deadline else { throw .failed("\(host) was not looked up in time") }
        guard !found.isEmpty else { throw .failed("\(host) has no address") }
        let allowed = found.filter { text in AddressRange.Address(text).map(policy.allows) == true }
        guard !allowed.isEmpty else { throw .refused("\(host) is at an address that is not connected to") }
        return Array(allowed.prefix(Self.addressLimit))
    }

    private static func failure(_ error: any Error) -> OutboundFailure {
        switch error {
        case let failure as OutboundFailure: failure
        case ExchangeFailure.tooLarge: .tooLarge
        case ExchangeFailure.timedOut: .failed("no answer in time")
        case ExchangeFailure.closed: .failed("the connection was closed")
        case ExchangeFailure.broken(let reason): .failed(reason)
        default: .failed("\(error)")
        }
    }
}

/// Which connections wait for a request: a bounded number, the one that was used last first.
package struct IdleConnections<Connection> {
    /// A connection with the number by which it is known.
    package struct Entry {
        package let number: UInt64
        package let connection: Connection
    }

    private var entries: [OutboundEndpoint: [Entry]] = [:]
    private var lastNumber: UInt64 = 0
    package private(set) var count = 0

    package static var limit: Int { 500 }
    package static var limitPerEndpoint: Int { 4 }

    package init() {}

    /// Gives a new connection its number. It does not wait yet.
    package mutating func entry(for connection: Connection) -> Entry {
        lastNumber += 1
        return Entry(number: lastNumber, connection: connection)
    }

    package mutating func take(_ endpoint: OutboundEndpoint) -> Entry? {
        guard let entry = entries[endpoint]?.popLast() else { return nil }
        noteRemoval(endpoint)
        return entry
    }

    /// - Returns: a connection that has to go for it, or itself.
    package mutating func keep(_ entry: Entry, _ endpoint: OutboundEndpoint) -> Connection? {
        guard count < Self.limit else { return entry.connection }
        var dropped: Connection?
        if let waiting = entries[endpoint], waiting.count >= Self.limitPerEndpoint {
            dropped = waiting.first.map(\.connection)
            entries[endpoint]?.removeFirst()
            count -= 1
        }
        entries[endpoint, default: []].append(entry)
        count += 1
        return dropped
    }

    /// Forgets a connection that has ended.
    package mutating func remove(_ number: UInt64, _ endpoint: OutboundEndpoint) {
        guard let index = entries[endpoint]?.firstIndex(where: { $0.number == number }) else { return }
        entries[endpoint]?.remove(at: index)
        noteRemoval(endpoint)
    }

    private mutating func noteRemoval(_ endpoint: OutboundEndpoint) {
        count -= 1
        if entries[endpoint]?.isEmpty == true { entries[endpoint] = nil }
    }
}

extension IdleConnections: Sendable where Connection: Sendable {}
extension IdleConnections.Entry: Sendable where Connection: Sendable {}
