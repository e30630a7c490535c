// Requests one after the other on one connection, each with its own time.

import Federation
import NIOCore
import NIOHTTP1
import NIOPosix
import ServerConfiguration
import Synchronization
import Testing

@Suite("Exchanges on one connection")
struct ExchangeTests {
    @Test("a request that may take less time than the one before ends in its own time, and the next one gets an answer")
    func times() async throws {
        var policy = OutboundConfiguration()
        policy.allowedRanges = [try #require(AddressRange("127.0.0.1"))]
        let connections = OutboundConnections(policy: policy, tls: OutboundTLS(policy))
        func send(_ target: String, _ server: Listener, within timeout: Duration) async throws -> Int {
            try await OutboundHTTP(connections, timeout: timeout, bodyLimit: 1000).send(.init("\(server.base)\(target)")).status
        }
        try await Listener.run { server in
            let first = try await send("/", server, within: .seconds(300))
            let began = ContinuousClock.now
            await #expect(throws: OutboundFailure.self) { _ = try await send("/never", server, within: .milliseconds(200)) }
            #expect(ContinuousClock.now - began < .seconds(100))
            #expect(server.count == 1)
            // What has timed out may still be answered, on a connection that nobody uses any more.
            let next = try await send("/", server, within: .seconds(300))
            #expect(first == 200 && next == 200 && server.count == 2)
        }
    }
}

/// Answers whatever it is asked, but for `/never`, and counts its connections.
private final class Listener: Sendable {
    private let connections = Mutex(0)
    private let channel = Mutex<(any Channel)?>(nil)

    var count: Int { connections.withLock { $0 } }
    var base: String { "http://127.0.0.1:\(channel.withLock { $0?.localAddress?.port } ?? 0)" }

    static func run(isolation: isolated (any Actor)? = #isolation, _ body: (Listener) async throws -> Void) async throws {
        let listener = Listener()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { child in
                listener.connections.withLock { $0 += 1 }
                return child.eventLoop.makeCompletedFuture {
                    try child.pipeline.syncOperations.configureHTTPServerPipeline()
                    try child.pipeline.syncOperations.addHandler(Answering())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        listener.channel.withLock { $0 = channel }
        do {
            try await body(listener)
        } catch {
            try await channel.close()
            throw error
        }
        try await channel.close()
    }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let head) = unwrapInboundIn(data), head.uri != "/never" else { return }
            let answer = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Content-Length": "0"])
            context.write(wrapOutboundOut(.head(answer)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
