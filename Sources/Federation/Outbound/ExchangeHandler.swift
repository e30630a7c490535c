// One connection to another server: a request, then its answer, then perhaps the next.

import NIOCore
import NIOHTTP1

/// A request on its way, with what its answer may cost.
struct Exchange: Sendable {
    let message: OutboundMessage
    /// Bytes of the answer's body.
    let bodyLimit: Int
    let deadline: NIODeadline
    let promise: EventLoopPromise<Outcome>

    struct Outcome: Sendable {
        let answer: OutboundAnswer
        /// Whether the connection takes another request.
        let isReusable: Bool
    }
}

/// Why an exchange ended without an answer.
enum ExchangeFailure: Error {
    case timedOut
    case tooLarge
    /// The other side closed the connection; `isBegun`: in the middle of an answer.
    case closed(isBegun: Bool)
    case broken(String)
}

/// Carries out exchanges on a channel, one at a time. Whatever goes wrong closes the channel.
final class ExchangeHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Exchange
    typealias OutboundOut = HTTPClientRequestPart

    private struct Running {
        let exchange: Exchange
        let timer: Scheduled<Void>
        var head: HTTPResponseHead?
        var body: [UInt8] = []
    }

    private var running: Running?
    private var idleTimer: Scheduled<Void>?

    /// How long a connection is kept that nobody uses.
    private static let idleTime = TimeAmount.seconds(60)

    // MARK: The request

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let exchange = unwrapOutboundIn(data)
        guard running == nil else {
            exchange.promise.fail(ExchangeFailure.broken("the connection is in use"))
            return context.close(promise: nil)
        }
        idleTimer?.cancel()
        let timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: exchange.deadline) {
            self.fail(ExchangeFailure.timedOut, context)
        }
        running = Running(exchange: exchange, timer: timer)
        let message = exchange.message
        var head = HTTPRequestHead(version: .http1_1, method: .init(rawValue: message.method), uri: message.target)
        for (name, value) in message.headers { head.headers.add(name: name, value: value) }
        if let body = message.body {
            head.headers.replaceOrAdd(name: "Content-Length", value: String(body.count))
        } else if message.method != "GET" {
            head.headers.replaceOrAdd(name: "Content-Length", value: "0")
        }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body = message.body, !body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
    }

    // MARK: The answer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let limit = running?.exchange.bodyLimit else { return context.close(promise: nil) }
        switch unwrapInboundIn(data) {
        case .head(let head):
            if let length = head.headers.first(name: "Content-Length").flatMap({ Int($0) }), length > limit {
                return fail(ExchangeFailure.tooLarge, context)
            }
            running?.head = head
        case .body(let buffer):
            guard (running?.body.count ?? 0) + buffer.readableBytes <= limit else { return fail(ExchangeFailure.tooLarge, context) }
            running?.body.append(contentsOf: buffer.readableBytesView)
        case .end:
            finish(context)
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard let done = running, let head = done.head else { return fail(ExchangeFailure.broken("an answer without a head"), context) }
        running = nil
        done.timer.cancel()
        let answer = OutboundAnswer(status: Int(head.status.code), headers: head.headers.map { ($0.name, $0.value) }, body: done.body)
        let isReusable = head.isKeepAlive && context.channel.isActive
        if isReusable {
            idleTimer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.idleTime) { context.close(promise: nil) }
        } else {
            context.close(promise: nil)
        }
        done.exchange.promise.succeed(Exchange.Outcome(answer: answer, isReusable: isReusable))
    }

    // MARK: The end

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(ExchangeFailure.broken("\(error)"), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(ExchangeFailure.closed(isBegun: running?.head != nil))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end(ExchangeFailure.closed(isBegun: running?.head != nil))
    }

    private func fail(_ failure: ExchangeFailure, _ context: ChannelHandlerContext) {
        end(failure)
        context.close(promise: nil)
    }

    private func end(_ failure: ExchangeFailure) {
        let lost = running
        running = nil
        idleTimer?.cancel()
        lost?.timer.cancel()
        lost?.exchange.promise.fail(failure)
    }
}
