// One HTTP/1.1 connection: reads requests, has each answered, writes the answers in order. RFC 9112.

import MatrixCore
import NIOCore
import NIOHTTP1

/// Turns the parts of requests into whole ones, bounded in size and time. One request is answered at a time; what a client
/// sends ahead waits, and reading stops when there is any.
final class ConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case idle
        case receiving(IncomingRequest)
        case answering(IncomingRequest, Task<Void, Never>?)
        /// The request was refused before its end; what still comes of it is thrown away.
        case refused
        /// No more is read; what is written goes out, then the connection closes.
        case ended
        case closed
    }

    private let listener: ListenerContext
    private var phase = Phase.idle
    /// Parts of requests that were sent ahead.
    private var pending = CircularBuffer<HTTPServerRequestPart>()
    private var isTakingPending = false
    private var isReadHeldBack = false
    /// No request after the current one: the client or the server wants to end.
    private var isEnding = false
    private var discarded = 0
    /// Responses that the system has not taken yet.
    private var unwritten = 0
    private var deadline = NIODeadline.distantFuture
    private var timer: Scheduled<Void>?
    private var peer: String?

    init(_ listener: ListenerContext) {
        self.listener = listener
        pending.reserveCapacity(2)
    }

    // MARK: Life of the connection

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { expect(within: listener.limits.idleTimeout, context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        expect(within: listener.limits.idleTimeout, context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { finish() }

    private func finish() {
        if case .answering(let incoming, let task) = phase, incoming.isSafe { task?.cancel() }
        phase = .closed
        pending.removeAll()
        timer?.cancel()
        timer = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent:
            isEnding = true
            if case .refused = phase { phase = .ended }
            closeIfDone(context)
        case ChannelEvent.inputClosed:
            isEnding = true
            switch phase {
            // The client sends no more. It may still read; but who waits with a GET has most likely gone.
            case .answering(let incoming, let task): if incoming.isSafe { task?.cancel() }
            case .receiving, .refused: phase = .ended
            case .idle, .ended, .closed: break
            }
            closeIfDone(context)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// Closes when all that was asked for is answered and written.
    private func closeIfDone(_ context: ChannelHandlerContext) {
        guard isEnding, unwritten == 0 else { return }
        switch phase {
        case .idle, .ended: context.close(promise: nil)
        case .receiving, .answering, .refused, .closed: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError, !listener.compresses else { return context.close(promise: nil) }
        switch phase {
        case .idle, .receiving:
            let status = error == .headerOverflow ? 431 : 400
            phase = .ended
            isEnding = true
            let response = APIResponse.error(MatrixError(status: status, errcode: "M_UNKNOWN", message: ResponseHead.reason(status)))
            write(response, connection: .close, omitBody: false, context)
        case .answering: isEnding = true
        case .refused:
            phase = .ended
            closeIfDone(context)
        case .ended, .closed: break
        }
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        guard isAnswering, !pending.isEmpty else { return context.read() }
        isReadHeldBack = true
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if isAnswering { pending.append(part) } else { take(part, context) }
    }

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head): begin(head, context)
        case .body(let buffer): append(buffer, context)
        case .end: complete(context)
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard case .idle = phase else { return }
        var incoming = IncomingRequest(head, listener.responder)
        if !incoming.keepsAlive { isEnding = true }
        let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        if length > incoming.bodyLimit {
            phase = .receiving(incoming)
            return refuseTooLarge(incoming, context)
        }
        if length > 0 { incoming.body.reserveCapacity(min(length, 1 << 20)) }
        if length > 0, !listener.compresses, !incoming.isHTTP10,
            head.headers.first(name: "expect").map({ equalIgnoringCase($0, "100-continue") }) ?? false
        {
            context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: ResponseHead.continueBytes)), promise: nil)
        }
        incoming.began = .now()
        phase = .receiving(incoming)
        expect(within: listener.limits.pauseTimeout, context)
    }

    private func append(_ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
        switch phase {
        case .receiving(var incoming):
            // Taken out of the phase while it grows, so that the bytes are not copied.
            phase = .idle
            guard incoming.body.count + buffer.readableBytes <= incoming.bodyLimit else {
                phase = .receiving(incoming)
                return refuseTooLarge(incoming, context)
            }
            incoming.body.append(contentsOf: buffer.readableBytesView)
            let allowance = TimeAmount.seconds(Int64(60 + incoming.body.count / listener.limits.slowestBytesPerSecond))
            let limit = incoming.began + allowance
            phase = .receiving(incoming)
            expect(by: min(.now() + listener.limits.pauseTimeout, limit), context)
        case .refused:
            discarded += buffer.readableBytes
            if discarded > listener.limits.discardedBytes { context.close(promise: nil) }
        default: break
        }
    }

    private func refuseTooLarge(_ incoming: IncomingRequest, _ context: ChannelHandlerContext) {
        phase = .refused
        isEnding = true
        discarded = 0
        let limit = incoming.bodyLimit
        write(.error(.tooLarge("The body must not be larger than \(limit) bytes")), connection: .close, omitBody: false, context)
        expect(within: listener.limits.discardTimeout, context)
    }

    private func complete(_ context: ChannelHandlerContext) {
        switch phase {
        case .receiving(let incoming): answer(incoming, context)
        case .refused:
            phase = .ended
            closeIfDone(context)
        default: break
        }
    }

    // MARK: Answering

    private func answer(_ incoming: IncomingRequest, _ context: ChannelHandlerContext) {
        guard case .found(let endpoint, let parameters) = incoming.match, incoming.immediate == nil else {
            phase = .answering(incoming, nil)
            let answer = Answer(incoming.immediate ?? .error(.unrecognized))
            if listener.log.isEnabled {
                listener.log.write(request(of: incoming, context), answer, took: .zero, database: .zero, bytes: answer.response.body.count)
            }
            return finish(answer, context)
        }
        let request = request(of: incoming, context)
        let eventLoop = context.eventLoop
        let connection = NIOLoopBound((handler: self, context: context), eventLoop: eventLoop)
        let listener = listener
        let task = Task(executorPreference: listener.executor(of: eventLoop)) {
            let answer = await listener.answer(request, endpoint, parameters)
            if eventLoop.inEventLoop {
                connection.value.handler.finish(answer, connection.value.context)
            } else {
                eventLoop.execute { connection.value.handler.finish(answer, connection.value.context) }
            }
        }
        phase = .answering(incoming, task)
    }

    private func finish(_ answer: Answer, _ context: ChannelHandlerContext) {
        guard case .answering(let incoming, _) = phase else { return }
        let isLast = isEnding && pending.isEmpty
        let connection: ResponseHead.Connection = isLast ? .close : incoming.isHTTP10 ? .keepAlive : .unsaid
        phase = isLast ? .ended : .idle
        let bytes = answer.response.body.count
        let limits = listener.limits
        write(answer.response, connection: connection, omitBody: incoming.method == .head, context)
        expect(within: limits.idleTimeout + .seconds(Int64(bytes / limits.slowestBytesPerSecond)), context)
        guard !isLast else { return }
        // What was sent ahead, until it makes the next request. Some requests are answered at once, from inside this loop: they leave the
        // rest to it, or a thousand of them would lie on the stack.
        guard !isTakingPending else { return }
        isTakingPending = true
        while !isAnswering, let part = pending.popFirst() { take(part, context) }
        isTakingPending = false
        if isReadHeldBack, !isAnswering {
            isReadHeldBack = false
            read(context: context)
        }
        closeIfDone(context)
    }

    private var isAnswering: Bool {
        if case .answering = phase { true } else { false }
    }

    private func request(of incoming: IncomingRequest, _ context: ChannelHandlerContext) -> APIRequest {
        var address = peerAddress(context)
        var isSecure = listener.isTLS
        if listener.trustsForwarded {
            if let forwarded = incoming.headers["X-Forwarded-For"] { address = ForwardedHeader.client(forwarded) ?? address }
            if let scheme = incoming.headers["X-Forwarded-Proto"] { isSecure = equalIgnoringCase(scheme, "https") }
        }
        return APIRequest(
            id: ListenerContext.nextRequestID(), method: incoming.method, target: incoming.target, headers: incoming.headers,
            remoteAddress: address,
            isSecure: isSecure, body: incoming.body)
    }

    private func peerAddress(_ context: ChannelHandlerContext) -> String {
        if let peer { return peer }
        let address = context.remoteAddress?.ipAddress ?? "unix"
        // An IPv4 client on a socket that takes both.
        peer = address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
        return peer ?? address
    }

    // MARK: Writing

    private func write(_ response: APIResponse, connection: ResponseHead.Connection, omitBody: Bool, _ context: ChannelHandlerContext) {
        unwritten += 1
        let promise = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        promise.futureResult.whenComplete { _ in
            bound.value.handler.unwritten -= 1
            bound.value.handler.closeIfDone(bound.value.context)
        }
        guard listener.compresses else {
            let buffer = ResponseHead.render(response, connection: connection, omitBody: omitBody, allocator: context.channel.allocator)
            return context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
        }
        for part in CompressibleResponse.parts(response, connection: connection, omitBody: omitBody, allocator: context.channel.allocator) {
            context.write(NIOAny(part), promise: nil)
        }
        context.writeAndFlush(NIOAny(HTTPServerResponsePart.end(nil)), promise: promise)
    }

    // MARK: Time

    private func expect(within time: TimeAmount, _ context: ChannelHandlerContext) { expect(by: .now() + time, context) }

    /// Closes the connection if it is still waiting for the client at `deadline`. One timer serves all deadlines of the connection:
    /// when it fires early it is set again, so that a request costs none.
    private func expect(by deadline: NIODeadline, _ context: ChannelHandlerContext) {
        self.deadline = deadline
        guard timer == nil else { return }
        schedule(at: deadline, context)
    }

    private func schedule(at deadline: NIODeadline, _ context: ChannelHandlerContext) {
        let connection = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: listener.limits.rounded(deadline)) {
            connection.value.handler.timeReached(connection.value.context)
        }
    }

    private func timeReached(_ context: ChannelHandlerContext) {
        timer = nil
        switch phase {
        case .closed: break
        case .answering: break  // we are the ones who take the time; the next deadline sets the timer again
        case .idle, .receiving, .refused, .ended:
            if .now() >= deadline { context.close(promise: nil) } else { schedule(at: deadline, context) }
        }
    }
}
