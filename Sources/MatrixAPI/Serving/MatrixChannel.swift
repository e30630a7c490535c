// The pipeline of a connection, as Hummingbird's server wants it: it accepts, we set up and wait.

import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// An HTTP/1.1 connection whose requests are answered by a `ListenerContext`.
///
/// Hummingbird's own `HTTP1Channel` converts every request and response into another set of types and hands each part through an
/// `AsyncSequence`; here the parts go from NIO's parser to `ConnectionHandler`, and bytes go back.
struct MatrixChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let channel: any Channel
    }

    let listener: ListenerContext

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = listener.limits.headerFieldBytes
            limits.maxHeaderListSize = listener.limits.headerBytes
            limits.maxHeaderFieldCount = listener.limits.headerCount
            let pipeline = channel.pipeline.syncOperations
            let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
            try pipeline.addHandler(ByteToMessageHandler(decoder))
            if listener.compresses {
                try pipeline.addHandler(HTTPResponseEncoder())
                try pipeline.addHandler(CompressibleResponse.compressor())
            }
            try pipeline.addHandler(ConnectionHandler(listener))
            return Value(channel: channel)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await withTaskCancellationHandler {
            // How it closed does not matter: the handler has dealt with it.
            _ = await value.channel.closeFuture.result()
        } onCancel: {
            value.channel.close(promise: nil)
        }
    }
}

extension EventLoopFuture where Value: Sendable {
    fileprivate func result() async -> Result<Value, any Error> {
        do { return .success(try await get()) } catch { return .failure(error) }
    }
}
