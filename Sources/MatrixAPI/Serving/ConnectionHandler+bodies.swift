// Bodies that are too large to be in memory: of requests, which are taken as they come, and of answers, which are sent piece by piece.

import Federation
import NIOCore
import NIOHTTP1

extension ConnectionHandler {
    // MARK: Bodies that are taken as they come

    /// Has the request answered while its body comes in.
    func beginUpload(_ incoming: IncomingRequest, expectsContinue: Bool, _ context: ChannelHandlerContext) {
        let eventLoop = context.eventLoop
        let connection = NIOLoopBound((handler: self, context: context), eventLoop: eventLoop)
        let queue = ByteQueue(
            onWanted: {
                guard expectsContinue else { return }
                eventLoop.execute { connection.value.handler.inviteUpload(connection.value.context) }
            },
            onDrain: { eventLoop.execute { connection.value.handler.readOn(connection.value.context) } })
        var incoming = incoming
        incoming.bodyStream = queue
        upload = queue
        uploaded = 0
        expect(within: listener.limits.pauseTimeout, context)
        answer(incoming, context)
    }

    /// The endpoint wants the body: a client that has asked is told to send it.
    private func inviteUpload(_ context: ChannelHandlerContext) {
        if upload != nil, uploaded == 0 { writeContinue(context) }
    }

    func take(_ part: HTTPServerRequestPart, of queue: ByteQueue, _ context: ChannelHandlerContext) {
        switch part {
        case .head: break
        case .body(let buffer):
            queue.append(buffer.readableBytesView)
            uploaded += buffer.readableBytes
            if case .answering(let incoming, _) = phase { expectMore(incoming, after: uploaded, context) }
        case .end:
            upload = nil
            queue.finish()
        }
    }

    /// Whoever waits for more of the body waits in vain.
    func endUpload() {
        upload?.fail(ByteQueue.Lost())
        upload = nil
    }

    // MARK: Answers that are sent piece by piece

    func send(_ stream: ResponseStream, isLast: Bool, _ context: ChannelHandlerContext) {
        let eventLoop = context.eventLoop
        let connection = NIOLoopBound((handler: self, context: context), eventLoop: eventLoop)
        let task = Task(executorPreference: listener.executor(of: eventLoop)) {
            var rest = stream.length
            do {
                while rest > 0, let piece = try await stream.next(), piece.count <= rest {
                    rest -= piece.count
                    try await eventLoop.flatSubmit { connection.value.handler.write(piece, connection.value.context) }.get()
                }
            } catch {
                // The rest is missing: the client sees it by the length.
            }
            let isWhole = rest == 0
            eventLoop.execute { connection.value.handler.finishSending(isWhole: isWhole, connection.value.context) }
        }
        phase = .sending(task, isLast: isLast)
        expect(within: listener.limits.idleTimeout, context)
    }

    private func write(_ piece: [UInt8], _ context: ChannelHandlerContext) -> EventLoopFuture<Void> {
        guard case .sending = phase else { return context.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        let buffer = context.channel.allocator.buffer(bytes: piece)
        let promise = context.eventLoop.makePromise(of: Void.self)
        if listener.compresses {
            context.writeAndFlush(NIOAny(HTTPServerResponsePart.body(.byteBuffer(buffer))), promise: promise)
        } else {
            context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
        }
        expect(within: listener.limits.idleTimeout + allowance(for: piece.count), context)
        return promise.futureResult
    }

    private func finishSending(isWhole: Bool, _ context: ChannelHandlerContext) {
        guard case .sending(_, let isLast) = phase else { return }
        guard isWhole else { return context.close(promise: nil) }
        phase = isLast ? .ended : .idle
        context.flush()
        if listener.compresses { context.writeAndFlush(NIOAny(HTTPServerResponsePart.end(nil)), promise: nil) }
        expect(within: listener.limits.idleTimeout, context)
        if isLast { closeIfDone(context) } else { proceed(context) }
    }

    /// The head of an answer whose body follows.
    func writeHead(_ response: APIResponse, connection: ResponseHead.Connection, _ context: ChannelHandlerContext) {
        let promise = writing(context)
        let allocator = context.channel.allocator
        guard listener.compresses else {
            let buffer = ResponseHead.render(response, connection: connection, omitBody: true, allocator: allocator)
            return context.write(wrapOutboundOut(buffer), promise: promise)
        }
        let parts = CompressibleResponse.parts(response, connection: connection, omitBody: true, allocator: allocator)
        for part in parts.dropLast() { context.write(NIOAny(part), promise: nil) }
        if let last = parts.last { context.write(NIOAny(last), promise: promise) }
    }
}
