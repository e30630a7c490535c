// Media of other servers. Server-Server API §Content Repository; before that, other servers took them from the Client-Server API.

import MatrixCore
import ServerConfiguration

/// A medium of another server, while it comes.
package struct RemoteContent: Sendable {
    package fileprivate(set) var contentType: String?
    /// `Content-Disposition`.
    package fileprivate(set) var disposition: String?
    /// Bytes that are to come, with what stands around the content, where the other server says so.
    package let announcedLength: Int?
    private let queue: ByteQueue
    private var reader: MultipartReader?
    /// Content that came together with its head.
    fileprivate var ahead: [[UInt8]] = []
    private var isOver = false

    fileprivate init(_ queue: ByteQueue, contentType: String?, disposition: String?, announcedLength: Int?, reader: MultipartReader?) {
        self.queue = queue
        self.contentType = contentType
        self.disposition = disposition
        self.announcedLength = announcedLength
        self.reader = reader
    }

    /// Some more of the content; nil at its end.
    package mutating func next() async throws(FederationFailure) -> [UInt8]? {
        while true {
            if !ahead.isEmpty { return ahead.removeFirst() }
            guard !isOver else { return nil }
            guard let bytes = try await received() else {
                guard reader == nil else { throw .malformed("its answer ends in the middle") }
                isOver = true
                return nil
            }
            guard reader != nil else { return bytes }
            for element in try elements(bytes) {
                switch element {
                case .content(let bytes): if !isOver { ahead.append(bytes) }
                case .end: isOver = true
                case .head, .finished: break
                }
            }
            // What follows the content is small, and read so that the connection can be used again.
            if isOver { try await readToEnd() }
        }
    }

    /// No more is wanted of it.
    package func abandon() { queue.abandon() }

    // MARK: Steps

    private mutating func readToEnd() async throws(FederationFailure) {
        var rest = 64 * 1024
        while rest > 0, let bytes = try await received() { rest -= bytes.count }
        if rest <= 0 { abandon() }
    }

    private func received() async throws(FederationFailure) -> [UInt8]? {
        do {
            return try await queue.next()
        } catch ExchangeFailure.tooLarge {
            throw .tooLarge
        } catch {
            throw .malformed("its answer ends in the middle")
        }
    }

    private mutating func elements(_ bytes: [UInt8]) throws(FederationFailure) -> [MultipartReader.Element] {
        do {
            return try reader?.take(bytes) ?? []
        } catch {
            abandon()
            throw .malformed("its answer is no medium: \(error.reason)")
        }
    }

    /// Reads up to the head of the second part, before which a JSON object stands that says nothing yet.
    ///
    /// Synapse writes the heads of both parts together with the first bytes of the file. Of an empty file it sends the last boundary alone,
    /// and not even as many bytes as it has announced: what such a connection brings next is not to be trusted.
    ///
    /// - Returns: where the content is, if it is elsewhere.
    fileprivate mutating func findContent() async throws(FederationFailure) -> String? {
        var part = 0
        var isFound = false
        while !isFound {
            guard let bytes = try await received() else { throw .malformed("its answer holds no medium") }
            var location: String?
            for element in try elements(bytes) {
                switch element {
                case .head(let headers):
                    part += 1
                    guard part == 2 else { continue }
                    isFound = true
                    contentType = headers.first { $0.name == "content-type" }?.value
                    disposition = headers.first { $0.name == "content-disposition" }?.value
                    location = headers.first { $0.name == "location" }?.value
                case .content(let bytes): if part == 2, !isOver { ahead.append(bytes) }
                case .end: if part == 2 { isOver = true }
                case .finished:
                    if part == 0 {
                        abandon()
                        isOver = true
                        return nil
                    }
                    guard isFound else { throw .malformed("its answer holds no medium") }
                }
            }
            if let location { return location }
        }
        return nil
    }
}

extension FederationClient {
    /// Bytes around the content.
    private static let envelopeLimit = 64 * 1024

    /// Asks a server for one of its media.
    ///
    /// - Parameters:
    ///   - patience: how long that server may wait for an upload that is still to come.
    ///   - byteLimit: of the content.
    package func media(
        _ mediaID: String, of server: ServerName, patience: Duration, byteLimit: Int
    ) async throws(FederationFailure) -> RemoteContent {
        var request = FederationRequest.federation(
            "GET", to: server, path: ["media", "download", mediaID], query: [("timeout_ms", String(patience.milliseconds))])
        request.isStreamed = true
        request.bodyLimit = byteLimit + Self.envelopeLimit
        request.timeout = max(configuration.retries.clientTimeout, patience + .seconds(10))
        let response: FederationResponse
        do {
            response = try await send(request)
        } catch .answered(let error) where Self.isUnknownEndpoint(error) {
            return try await olderMedia(mediaID, of: server, patience: patience, byteLimit: byteLimit)
        }
        guard let stream = response.stream else { throw .malformed("its answer holds no medium") }
        guard let reader = response.header("content-type").flatMap({ MultipartReader(contentType: $0) }) else {
            stream.abandon()
            throw .malformed("its answer is not in parts")
        }
        var content = RemoteContent(
            stream, contentType: nil, disposition: nil, announcedLength: response.header("content-length").flatMap { Int($0) },
            reader: reader)
        guard let location = try await content.findContent() else { return content }
        content.abandon()
        return try await media(at: location, of: server, byteLimit: byteLimit)
    }

    /// The deprecated `GET /_matrix/media/v3/download`, of a server that knows no other.
    private func olderMedia(
        _ mediaID: String, of server: ServerName, patience: Duration, byteLimit: Int
    ) async throws(FederationFailure) -> RemoteContent {
        var request = FederationRequest(
            "GET", to: server, path: ["_matrix", "media", "v3", "download", server.string, mediaID],
            query: [("allow_remote", "false"), ("timeout_ms", String(patience.milliseconds)), ("allow_redirect", "true")])
        request.isSigned = false
        request.isStreamed = true
        request.bodyLimit = byteLimit
        request.timeout = max(configuration.retries.clientTimeout, patience + .seconds(10))
        let response = try await send(request)
        if let stream = response.stream {
            return RemoteContent(
                stream, contentType: response.header("content-type"), disposition: response.header("content-disposition"),
                announcedLength: response.header("content-length").flatMap { Int($0) }, reader: nil)
        }
        guard let location = response.header("location") else { throw .malformed("its answer holds no medium") }
        return try await media(at: location, of: server, byteLimit: byteLimit)
    }

    /// Content that a server keeps elsewhere. That place is one that this server may connect to, and sends nobody on.
    private func media(
        at location: String, of server: ServerName, byteLimit: Int
    ) async throws(FederationFailure) -> RemoteContent {
        guard let url = OutboundURL(location) else { throw .malformed("its media are at an address that is not asked") }
        let message = OutboundMessage(
            method: "GET", target: url.target,
            headers: [("Host", url.server.string), ("User-Agent", "Martlet/\(Software.version)"), ("Accept", "*/*")], body: nil)
        let answer: OutboundAnswer
        do throws(OutboundFailure) {
            answer = try await connections.exchange(
                message, with: url.endpoint, timeout: configuration.retries.clientTimeout, bodyLimit: byteLimit, isStreamed: true)
        } catch .tooLarge {
            throw .tooLarge
        } catch {
            throw .unreachable(server, "its media are not to be had where they should be")
        }
        guard let stream = answer.stream else { throw .unreachable(server, "its media are not where they should be") }
        return RemoteContent(
            stream, contentType: answer.header("content-type"), disposition: answer.header("content-disposition"),
            announcedLength: answer.header("content-length").flatMap { Int($0) }, reader: nil)
    }

    /// Whether a server does not know an endpoint, by how servers say so.
    private static func isUnknownEndpoint(_ error: MatrixError) -> Bool {
        error.isOfUnknownEndpoint || error.status == 400 && error.errcode == "M_UNRECOGNIZED"
    }
}
