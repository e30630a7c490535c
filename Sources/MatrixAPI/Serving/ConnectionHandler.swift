// One HTTP/1.1 connection: reads requests, has each answered, writes the answers in order. RFC 9112.

import Federation
import MatrixCore
import NIOCore
import NIOHTTP1

/// Turns the parts of requests into whole ones, bounded in size and time. One request is answered at a time; what a client
/// sends ahead waits, and reading stops when there is any.
final class ConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case idle
        case receiving(IncomingRequest)
        case answering(IncomingRequest, Task<Void, Never>?)
        /// The head of the answer is written, and its body is sent piece by piece.
        case sending(Task<Void, Never>, isLast: Bool)
        /// The request was refused before its end; what still comes of it is thrown away.
        case refused
        /// No more is read; what is written goes out, then the connection closes.
        case ended
        case closed
    }

    let listener: ListenerContext
    var phase = Phase.idle
    /// The body of the request that is being answered, while it comes in.
    var upload: ByteQueue?
    /// Parts of requests that were sent ahead.
    private var pending = CircularBuffer<HTTPServerRequestPart>()
    private var isTakingPending = false
    private var isReadHeldBack = false
    /// No request after the current one: the client or the server wants to end.
    private var isEnding = false
    private var discarded = 0
    /// Bytes of `upload` that have come.
    var uploaded = 0
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
        switch phase {
        case .answering(let incoming, let task): if incoming.isSafe { task?.cancel() }
        case .sending(let task, _): task.cancel()
        case .idle, .receiving, .refused, .ended, .closed: break
        }
        endUpload()
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
            endUpload()
            switch phase {
            // The client sends no more. It may still read; but who waits with a GET has most likely gone.
            case .answering(let incoming, let task): if incoming.isSafe { task?.cancel() }
            case .receiving, .refused: phase = .ended
            case .idle, .sending, .ended, .closed: break
            }
            closeIfDone(context)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// Closes when all that was asked for is answered and written.
    func closeIfDone(_ context: ChannelHandlerContext) {
        guard isEnding, unwritten == 0 else { return }
        switch phase {
        case .idle, .ended: context.close(promise: nil)
        case .receiving, .answering, .sending, .refused, .closed: break
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
        case .answering, .sending:
            isEnding = true
            endUpload()
        case .refused:
            phase = .ended
            closeIfDone(context)
        case .ended, .closed: break
        }
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        guard upload?.isFull ?? (isAnswering && !pending.isEmpty) else { return context.read() }
        isReadHeldBack = true
    }

    func readOn(_ context: ChannelHandlerContext) {
        guard isReadHeldBack else { return }
        isReadHeldBack = false
        // While it was held back, nobody waited for the client.
        if upload != nil { expect(within: listener.limits.pauseTimeout, context) }
        read(context: context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if takesParts { take(part, context) } else { pending.append(part) }
    }

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        if let upload { return take(part, of: upload, context) }
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
        let expectsContinue =
            length > 0 && !listener.compresses && !incoming.isHTTP10
            && head.headers.first(name: "expect").map { equalIgnoringCase($0, "100-continue") } ?? false
        incoming.began = .now()
        if incoming.streamsBody { return beginUpload(incoming, expectsContinue: expectsContinue, context) }
        if length > 0 { incoming.body.reserveCapacity(min(length, 1 << 20)) }
        if expectsContinue { writeContinue(context) }
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
            phase = .receiving(incoming)
            expectMore(incoming, after: incoming.body.count, context)
        case .refused:
            discarded += buffer.readableBytes
            if discarded > listener.limits.discardedBytes { context.close(promise: nil) }
        default: break
        }
    }

    /// The next part has its time, and so has the whole of the body.
    func expectMore(_ incoming: IncomingRequest, after count: Int, _ context: ChannelHandlerContext) {
        let limit = incoming.began + .seconds(Int64(60 + count / listener.limits.slowestBytesPerSecond))
        expect(by: min(.now() + listener.limits.pauseTimeout, limit), context)
    }

    func writeContinue(_ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: ResponseHead.continueBytes)), promise: nil)
    }

    private func refuseTooLarge(_ incoming: IncomingRequest, _ context: ChannelHandlerContext) {
        refuse(.error(.tooLarge("The body must not be larger than \(incoming.bodyLimit) bytes")), context)
    }

    /// Answers before the end of the request.
    private func refuse(_ response: APIResponse, _ context: ChannelHandlerContext) {
        phase = .refused
        isEnding = true
        discarded = 0
        write(response, connection: .close, omitBody: false, context)
        expect(within: listener.limits.discardTimeout, context)
        readOn(context)
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

    func answer(_ incoming: IncomingRequest, _ context: ChannelHandlerContext) {
        guard case .found(let endpoint, let parameters) = incoming.match, incoming.immediate == nil else {
            phase = .answering(incoming, nil)
            let answer = Answer(incoming.immediate ?? .error(.unrecognized))
            if listener.log.isEnabled {
                listener.log.write(request(of: incoming, context), answer, took: .zero, database: .zero, bytes: answer.response.length)
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
        let response = answer.response
        if upload != nil {
            endUpload()
            return refuse(response, context)
        }
        let isLast = isEnding && pending.isEmpty
        let connection: ResponseHead.Connection = isLast ? .close : incoming.isHTTP10 ? .keepAlive : .unsaid
        let omitBody = incoming.method == .head
        if let stream = response.stream, !omitBody {
            // The body follows: its end is written then.
            writeHead(response, connection: connection, context)
            return send(stream, isLast: isLast, context)
        }
        phase = isLast ? .ended : .idle
        write(response, connection: connection, omitBody: omitBody, context)
        expect(within: listener.limits.idleTimeout + allowance(for: response.body.count), context)
        if !isLast { proceed(context) }
    }

    /// What a client may take in addition to read so many bytes.
    func allowance(for count: Int) -> TimeAmount { .seconds(Int64(count / listener.limits.slowestBytesPerSecond)) }

    /// Takes what was sent ahead, until it makes the next request. Some requests are answered at once, from inside this loop: they leave the
    /// rest to it, or a thousand of them would lie on the stack.
    func proceed(_ context: ChannelHandlerContext) {
        guard !isTakingPending else { return }
        isTakingPending = true
        while takesParts, let part = pending.popFirst() { take(part, context) }
        isTakingPending = false
        if !isAnswering { readOn(context) }
        closeIfDone(context)
    }

    private var isAnswering: Bool {
        switch phase {
        case .answering, .sending: true
        case .idle, .receiving, .refused, .ended, .closed: false
        }
    }

    /// Whether the next part of a request can be dealt with now.
    private var takesParts: Bool { upload != nil || !isAnswering }

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
            isSecure: isSecure, body: incoming.body, bodyStream: incoming.bodyStream)
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
        let promise = writing(context)
        guard listener.compresses else {
            let buffer = ResponseHead.render(response, connection: connection, omitBody: omitBody, allocator: context.channel.allocator)
            return context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
        }
        for part in CompressibleResponse.parts(response, connection: connection, omitBody: omitBody, allocator: context.channel.allocator) {
            context.write(NIOAny(part), promise: nil)
        }
        context.writeAndFlush(NIOAny(HTTPServerResponsePart.end(nil)), promise: promise)
    }

    /// Counts a write until the system has taken it.
    func writing(_ context: ChannelHandlerContext) -> EventLoopPromise<Void> {
        unwritten += 1
        let promise = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        promise.futureResult.whenComplete { _ in
            bound.value.handler.unwritten -= 1
            bound.value.handler.closeIfDone(bound.value.context)
        }
        return promise
    }

    // MARK: Time

    func expect(within time: TimeAmount, _ context: ChannelHandlerContext) { expect(by: .now() + time, context) }

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
        case .answering where upload?.isFull ?? true: break  // we are the ones who take the time; the next deadline sets the timer again
        case .idle, .receiving, .answering, .sending, .refused, .ended:
            if .now() >= deadline { context.close(promise: nil) } else { schedule(at: deadline, context) }
        }
    }
}
