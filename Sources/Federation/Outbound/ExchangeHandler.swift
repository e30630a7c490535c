// One connection to another server: a request, then its answer, then perhaps the next.

import NIOCore
import NIOHTTP1

/// A request on its way, with what its answer may cost.
struct Exchange: Sendable {
    let message: OutboundMessage
    /// Bytes of the answer's body.
    let bodyLimit: Int
    let deadline: NIODeadline
    /// Whether a body that comes with a status of 2xx is handed on as it comes: the answer is there with its head then.
    var isStreamed = false
    /// Called when the connection takes another request after such a body.
    var onFree: @Sendable () -> Void = {}
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
        var head: HTTPResponseHead?
        var body: [UInt8] = []
        /// Bytes of the body: of one that is not handed on, few.
        var bodyLimit: Int {
            exchange.isStreamed && !handsOn ? min(exchange.bodyLimit, ExchangeHandler.gatheredLimit) : exchange.bodyLimit
        }
        /// Whether the body is handed on as it comes.
        var handsOn: Bool { exchange.isStreamed && head.map { (200..<300).contains($0.status.code) } != false }
        /// In place of `body`, and how many bytes have come, now and at the last look.
        var stream: ByteQueue?
        var streamed = 0
        var streamedBefore = 0
        /// When the whole body has to be there.
        var end = NIODeadline.distantFuture
    }

    private var running: Running?
    private var isReadHeldBack = false
    /// When something is to be done about the exchange or about having none; and the timer that looks whether it is. It is set anew for an
    /// earlier time only: to cancel one takes a look at all of the loop, and nearly every exchange ends long before its time.
    private var due = NIODeadline.distantFuture
    private var alarm: (time: NIODeadline, timer: Scheduled<Void>)?

    /// Bytes of an error in place of a body that was to be handed on.
    private static let gatheredLimit = 64 * 1024
    /// How much of a body that is handed on has to come in some time, and how long it may take.
    private static let leastBytes = 16 * 1024
    private static let pause = TimeAmount.seconds(30)
    private static let longestBody = TimeAmount.minutes(10)
    /// How long a connection is kept that nobody uses.
    private static let idleTime = TimeAmount.seconds(60)

    // MARK: The request

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let exchange = unwrapOutboundIn(data)
        guard running == nil else {
            exchange.promise.fail(ExchangeFailure.broken("the connection is in use"))
            return context.close(promise: nil)
        }
        running = Running(exchange: exchange)
        watch(until: exchange.deadline, context)
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
        guard let limit = running?.bodyLimit else { return context.close(promise: nil) }
        switch unwrapInboundIn(data) {
        case .head(let head):
            running?.head = head
            let limit = running?.bodyLimit ?? limit
            if let length = head.headers.first(name: "Content-Length").flatMap({ Int($0) }), length > limit {
                return fail(ExchangeFailure.tooLarge, context)
            }
            if running?.handsOn == true { beginStream(head, context) }
        case .body(let buffer):
            if let stream = running?.stream {
                running?.streamed += buffer.readableBytes
                guard (running?.streamed ?? 0) <= limit else { return fail(ExchangeFailure.tooLarge, context) }
                return stream.append(buffer.readableBytesView)
            }
            guard (running?.body.count ?? 0) + buffer.readableBytes <= limit else { return fail(ExchangeFailure.tooLarge, context) }
            running?.body.append(contentsOf: buffer.readableBytesView)
        case .end:
            finish(context)
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard let done = running, let head = done.head else { return fail(ExchangeFailure.broken("an answer without a head"), context) }
        running = nil
        let isReusable = head.isKeepAlive && context.channel.isActive
        if isReusable { watch(until: context.eventLoop.now + Self.idleTime, context) } else { context.close(promise: nil) }
        if let stream = done.stream {
            stream.finish()
            // Nobody may be left to take what is in it, and the connection goes on.
            readOn(context)
            if isReusable { done.exchange.onFree() }
        } else {
            done.exchange.promise.succeed(Exchange.Outcome(answer: Self.answer(head, body: done.body), isReusable: isReusable))
        }
    }

    private static func answer(_ head: HTTPResponseHead, body: [UInt8], stream: ByteQueue? = nil) -> OutboundAnswer {
        OutboundAnswer(
            status: Int(head.status.code), headers: head.headers.map { ($0.name, $0.value) }, body: body, stream: stream)
    }

    // MARK: A body that is handed on

    private func beginStream(_ head: HTTPResponseHead, _ context: ChannelHandlerContext) {
        guard let exchange = running?.exchange else { return }
        let eventLoop = context.eventLoop
        let connection = NIOLoopBound((handler: self, context: context), eventLoop: eventLoop)
        let stream = ByteQueue(
            onDrain: { eventLoop.execute { connection.value.handler.readOn(connection.value.context) } },
            onAbandon: { eventLoop.execute { connection.value.context.close(promise: nil) } })
        running?.stream = stream
        running?.end = context.eventLoop.now + Self.longestBody
        watch(until: context.eventLoop.now + Self.pause, context)
        exchange.promise.succeed(Exchange.Outcome(answer: Self.answer(head, body: [], stream: stream), isReusable: false))
    }

    func read(context: ChannelHandlerContext) {
        if running?.stream?.isFull == true { isReadHeldBack = true } else { context.read() }
    }

    private func readOn(_ context: ChannelHandlerContext) {
        guard isReadHeldBack else { return }
        isReadHeldBack = false
        context.read()
    }

    // MARK: Time

    private func watch(until time: NIODeadline, _ context: ChannelHandlerContext) {
        due = time
        if let alarm, alarm.time <= time { return }
        alarm?.timer.cancel()
        let timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: time) { self.look(context) }
        alarm = (time, timer)
    }

    private func look(_ context: ChannelHandlerContext) {
        alarm = nil
        guard due <= context.eventLoop.now else { return watch(until: due, context) }
        guard let running else { return context.close(promise: nil) }
        // A body goes on as long as enough of it comes, unless it is we who do not read.
        let goesOn = running.stream.map { $0.isFull || running.streamed >= running.streamedBefore + Self.leastBytes } ?? false
        guard goesOn, context.eventLoop.now < running.end else { return fail(ExchangeFailure.timedOut, context) }
        self.running?.streamedBefore = running.streamed
        watch(until: context.eventLoop.now + Self.pause, context)
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
        alarm?.timer.cancel()
        alarm = nil
        if let stream = lost?.stream { stream.fail(failure) } else { lost?.exchange.promise.fail(failure) }
    }
}
