// HTTP/1.1 as it goes over a real connection.

import Dispatch
import Glibc
import Logging
import MatrixAPI
import MatrixCore
import ServerConfiguration
import ServiceLifecycle
import Synchronization
import Testing

/// Answers `GET /name` with the name, `POST /echo` with the body, `GET /slow` when it is cancelled; `POST /take` with how many bytes it has
/// taken as they came, `POST /refuse` before any come, `GET /pieces` with 40 pieces of 10,000 bytes, `GET /short` with fewer than it says.
private struct Echo: HTTPResponder {
    private let router = Router([
        Route(.get, "/name/{name}") { _ in .empty }, Route(.post, "/echo", bodyLimit: 1000) { _ in .empty },
        Route(.get, "/slow") { _ in .empty },
        Route(.get, "/address") { _ in .empty }, Route(.get, "/long") { _ in .empty },
        Route(.post, templates: ["/take"], bodyLimit: .max, streamsBody: true) { _ in .empty },
        Route(.post, templates: ["/refuse"], bodyLimit: .max, streamsBody: true) { _ in .empty },
        Route(.get, "/pieces") { _ in .empty }, Route(.get, "/short") { _ in .empty },
    ])

    func match(_ method: HTTPMethod, _ target: String) -> RouteMatch { router.match(method, target) }

    func answer(_ request: APIRequest, _ endpoint: Endpoint, _ parameters: PathParameters) async -> Answer {
        let text: String
        switch endpoint.template {
        case "/echo": return Answer(.json(bytes: request.body))
        case "/take":
            var count = 0
            do { while let bytes = try await request.bodyStream?.next() { count += bytes.count } } catch {
                return Answer(.bytes([], contentType: "x/lost"))
            }
            text = "took \(count)"
        case "/refuse": return Answer(.error(.forbidden("no")))
        case "/pieces": return Answer(Self.pieces(40, announced: 40))
        case "/short": return Answer(Self.pieces(2, announced: 3))
        case "/address": text = "\(request.remoteAddress) \(request.isSecure)"
        case "/long": text = String(repeating: "x", count: 300_000)
        case "/slow":
            do { try await Task.sleep(for: .seconds(60)) } catch { return Answer(.bytes(Array("woken".utf8), contentType: "text/plain")) }
            text = "slept"
        default: text = String(parameters.raw("name", in: request.target) ?? "")
        }
        return Answer(.bytes(Array(text.utf8), contentType: "text/plain"))
    }
}

extension Echo {
    fileprivate static func pieces(_ count: Int, announced: Int) -> APIResponse {
        let left = Mutex(count)
        var response = APIResponse(contentType: "x/pieces", body: [])
        response.stream = ResponseStream(length: announced * 10_000) {
            let isMore = left.withLock { left in
                left -= 1
                return left >= 0
            }
            return isMore ? [UInt8](repeating: UInt8(ascii: "p"), count: 10_000) : nil
        }
        return response
    }
}

/// A listener on a socket in the file system, for as long as the body runs.
private func withServer(forwarded: Bool = false, compress: Bool = false, _ body: @Sendable (_ path: String) async throws -> Void)
    async throws
{
    let path = "/tmp/martlet-http-\(UInt32.random(in: 0...UInt32.max))"
    var listener = Listener(.unix(path: path, mode: 0o600))
    listener.forwarded = forwarded
    if compress { listener.compressed = [.client] }
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let eventLoops = EventLoops(threads: 1)
    let context = ListenerContext(listener, responder: Echo(), log: RequestLog(logger: logger), eventLoops: eventLoops)
    let (started, start) = AsyncStream.makeStream(of: Void.self)
    let services = try ListenerService.services(
        for: listener, context: context, tls: nil, connectionLimit: 100, group: eventLoops.group, logger: logger,
        didStart: { _ in start.finish() })
    let server = ServiceGroup(services: services, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await server.run() }
        for await _ in started {}
        try await body(path)
        await server.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
    unlink(path)
}

/// A client that writes what it is told and shows what comes back, off Swift's threads.
private struct Client: Sendable {
    let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(connected == 0)
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Sends so many bytes, off Swift's threads.
    func sendLong(_ count: Int) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            DispatchQueue.global().async {
                let chunk = [UInt8](repeating: 120, count: 100_000)
                var rest = count
                while rest > 0 {
                    let sent = Glibc.send(descriptor, chunk, min(rest, chunk.count), Int32(MSG_NOSIGNAL))
                    guard sent > 0 else { break }
                    rest -= sent
                }
                continuation.resume()
            }
        }
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Everything up to the end of the connection, or to `end`.
    func read(until end: String? = nil) async -> String {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: blockingRead(until: end)) }
        }
    }

    private func blockingRead(until end: String?) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let received = recv(descriptor, &chunk, chunk.count, 0)
            guard received > 0 else { break }
            bytes += chunk[..<received]
            if let end, String(decoding: bytes, as: UTF8.self).components(end) > 1 { break }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func close() { Glibc.close(descriptor) }
}

extension String {
    /// How many parts the separator makes of it.
    fileprivate func components(_ separator: String) -> Int {
        withCString { text in
            separator.withCString { separator in
                var count = 1
                var rest = text
                while let found = strstr(rest, separator) {
                    count += 1
                    rest = UnsafePointer(found) + strlen(separator)
                }
                return count
            }
        }
    }
}

@Suite struct ConnectionTests {
    /// Sends `text` on a connection of its own, shuts it down for sending, and gives back all that comes.
    private func exchange(_ path: String, _ text: String...) async throws -> String {
        let client = try Client(path)
        for part in text {
            client.send(part)
            try await Task.sleep(for: .milliseconds(20))
        }
        client.finishSending()
        let answer = await client.read()
        client.close()
        return answer
    }

    @Test("requests sent ahead are answered in order on one connection")
    func pipelining() async throws {
        try await withServer { path in
            let answer = try await exchange(
                path, "GET /name/a HTTP/1.1\r\nHost: x\r\n\r\nGET /name/b%2Fc HTTP/1.1\r\nHost: x\r\n\r\nGET /na",
                "me/d HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(answer.components("HTTP/1.1 200 OK\r\n") == 4)
            let bodies = answer.split(separator: "\r\n\r\n").dropFirst().map { $0.prefix { $0 != "H" } }
            #expect(bodies == ["a", "b%2Fc", "d"])
        }
    }

    @Test("thousands of requests sent ahead of an answer are answered too")
    func manyAhead() async throws {
        try await withServer { path in
            let ahead = String(repeating: "GET /nowhere HTTP/1.1\r\n\r\n", count: 5000)
            let answer = try await exchange(path, "GET /name/a HTTP/1.1\r\n\r\n" + ahead)
            #expect(answer.components("HTTP/1.1 404 ") == 5001)
        }
    }

    @Test("a large response reaches a client that has finished sending")
    func largeResponse() async throws {
        try await withServer { path in
            for _ in 0..<20 {
                let answer = try await exchange(path, "GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(answer.utf8.count > 300_000)
            }
        }
    }

    @Test("a body is taken as it comes, and the next request after it")
    func uploads() async throws {
        try await withServer { path in
            let piece = String(repeating: "x", count: 50_000)
            let answer = try await exchange(
                path, "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", piece,
                piece
                    + "GET /name/a HTTP/1.1\r\n\r\nPOST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nxyGET /name/b HTTP/1.1\r\n\r\n"
            )
            let bodies = answer.split(separator: "\r\n\r\n").dropFirst().map { $0.prefix { $0 != "H" } }
            #expect(bodies == ["took 100000", "a", "took 2", "b"])
        }
    }

    @Test("a large body is taken in bounded pieces")
    func largeUpload() async throws {
        try await withServer { path in
            let client = try Client(path)
            client.send("POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n")
            async let answer = client.read(until: "took")
            await client.sendLong(20_000_000)
            #expect(await answer.hasSuffix("took 20000000"))
            client.close()
        }
    }

    @Test("who refuses an upload before it comes answers at once, and the connection ends")
    func refusedUpload() async throws {
        try await withServer { path in
            let answer = try await exchange(
                path, "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", String(repeating: "x", count: 50_000))
            #expect(answer.hasPrefix("HTTP/1.1 403 ") && answer.contains("Connection: close") && answer.components("HTTP/1.1 ") == 2)
        }
    }

    @Test("a client that asks first is told to go on when its body is wanted, and not when it is refused")
    func expectContinue() async throws {
        try await withServer { path in
            for (route, isWanted) in [("take", true), ("refuse", false)] {
                let client = try Client(path)
                client.send("POST /\(route) HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
                let first = await client.read(until: "\r\n\r\n")
                #expect(first.hasPrefix(isWanted ? "HTTP/1.1 100 Continue\r\n\r\n" : "HTTP/1.1 403 "))
                client.send("xy")
                let rest = await client.read(until: isWanted ? "took 2" : "nothing")
                #expect(rest.contains("took 2") == isWanted)
                client.close()
            }
        }
    }

    @Test("a body whose end does not come is lost, not awaited")
    func lostUpload() async throws {
        try await withServer { path in
            let answer = try await exchange(path, "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "abc")
            #expect(answer.isEmpty || answer.contains("x/lost"))
        }
    }

    @Test("an answer is sent piece by piece, then the next one; its head alone to HEAD", arguments: [false, true])
    func pieces(compress: Bool) async throws {
        try await withServer(compress: compress) { path in
            let answer = try await exchange(
                path,
                "HEAD /pieces HTTP/1.1\r\nHost: x\r\n\r\nGET /pieces HTTP/1.1\r\nHost: x\r\n\r\nGET /name/a HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(answer.components("ontent-Length: 400000\r\n") == 3 && answer.components("HTTP/1.1 200 OK") == 4)
            #expect(answer.components("pppppppp") == 50_001 && answer.hasSuffix("\r\n\r\na"))
        }
    }

    @Test("an answer that ends early ends the connection")
    func shortAnswer() async throws {
        try await withServer { path in
            let answer = try await exchange(
                path, "GET /short HTTP/1.1\r\nHost: x\r\n\r\nGET /name/a HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(answer.components("HTTP/1.1 ") == 2 && answer.utf8.count < 21_000)
        }
    }

    @Test("every response carries CORS headers, and OPTIONS is answered on any path")
    func cors() async throws {
        try await withServer { path in
            for request in ["OPTIONS /anything", "GET /nowhere", "DELETE /echo", "GET /name/a"] {
                let answer = try await exchange(path, "\(request) HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(answer.contains("\r\nAccess-Control-Allow-Origin: *\r\n"))
                #expect(answer.contains("\r\nAccess-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n"))
                #expect(answer.contains("\r\nDate: "))
            }
            let options = try await exchange(path, "OPTIONS /anything HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(options.hasPrefix("HTTP/1.1 200 OK\r\n"))
            let unknown = try await exchange(path, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(unknown.hasPrefix("HTTP/1.1 404 Not Found\r\n") && unknown.contains("M_UNRECOGNIZED"))
            let method = try await exchange(path, "DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(method.hasPrefix("HTTP/1.1 405 ") && method.contains("Allow: POST\r\n") && method.contains("M_UNRECOGNIZED"))
        }
    }

    @Test("a body that is too large is refused with 413, by its announced length and by its bytes, and the connection ends")
    func tooLarge() async throws {
        try await withServer { path in
            let long = String(repeating: "x", count: 600)
            let announced = try await exchange(path, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + long)
            let chunked = try await exchange(
                path, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n\(long)\r\n",
                "258\r\n\(long)\r\n0\r\n\r\nGET /name/a HTTP/1.1\r\n\r\n")
            for answer in [announced, chunked] {
                #expect(answer.hasPrefix("HTTP/1.1 413 ") && answer.contains("M_TOO_LARGE") && answer.contains("Connection: close"))
                #expect(answer.components("HTTP/1.1 ") == 2)
            }
            let fits = try await exchange(
                path, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n\(long)\r\n0\r\n\r\n")
            #expect(fits.hasPrefix("HTTP/1.1 200 OK\r\n") && fits.hasSuffix(long))
        }
    }

    @Test("headers are bounded, and what is no HTTP is 400")
    func bounds() async throws {
        try await withServer { path in
            let long = String(repeating: "x", count: 17_000)
            let requests = [
                ("GET / HTTP/1.1\r\nX: \(long)\r\n\r\n", "431"), ("GET /\(long) HTTP/1.1\r\n\r\n", "431"),
                ("GET / HTTP/1.1\r\n" + (0..<200).map { "X\($0): y\r\n" }.joined() + "\r\n", "431"), ("nonsense\r\n\r\n", "400"),
            ]
            for (request, status) in requests {
                let answer = try await exchange(path, request)
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            }
        }
    }

    @Test("HEAD has the length and no body; 100-continue is said; HTTP/1.0 ends the connection")
    func variants() async throws {
        try await withServer { path in
            let head = try await exchange(path, "HEAD /name/abc HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(head.contains("Content-Length: 3\r\n") && head.hasSuffix("\r\n\r\n"))
            let expecting = try await exchange(
                path, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "{}")
            #expect(expecting.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n") && expecting.hasSuffix("{}"))
            let client = try Client(path)
            client.send("GET /name/a HTTP/1.0\r\n\r\n")
            #expect(await client.read().contains("Connection: close\r\n"))
            client.close()
        }
    }

    @Test(
        "X-Forwarded-For and X-Forwarded-Proto count only where the listener believes them",
        arguments: [(true, "1.2.3.4 true"), (false, "unix false")])
    func forwarding(trusted: Bool, expected: String) async throws {
        try await withServer(forwarded: trusted) { path in
            let answer = try await exchange(
                path, "GET /address HTTP/1.1\r\nX-Forwarded-For: 1.2.3.4, 5.6.7.8\r\nX-Forwarded-Proto: https\r\n\r\n")
            #expect(answer.hasSuffix("\r\n\r\n" + expected))
        }
    }

    @Test("who waits with a GET and hangs up is forgotten at once")
    func hangingUp() async throws {
        try await withServer { path in
            let answer = try await exchange(path, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(answer.hasSuffix("woken"))
        }
    }

    @Test("a stop ends idle connections and answers open requests first")
    func stopping() async throws {
        let idle = Mutex<Client?>(nil)
        try await withServer { path in
            let client = try Client(path)
            client.send("GET /name/a HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await client.read(until: "\r\n\r\na").hasSuffix("a"))
            idle.withLock { $0 = client }
        }
        let client = try #require(idle.withLock { $0 })
        #expect(await client.read() == "")
        client.close()
    }

    @Test("a listener with compress: true compresses text that is long enough, for who takes it")
    func compression() async throws {
        try await withServer(compress: true) { path in
            let request = "GET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            let compressed = try await exchange(path, request + "Accept-Encoding: gzip\r\n\r\n")
            #expect(
                compressed.contains("Content-Encoding: gzip\r\n") && compressed.contains("Vary: Accept-Encoding\r\n")
                    && compressed.utf8.count < 20_000)
            let plain = try await exchange(path, request + "\r\n")
            #expect(plain.utf8.count > 300_000 && !plain.contains("Content-Encoding") && !plain.contains("X-Martlet"))
            let short = try await exchange(path, "GET /name/a HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
            #expect(short.hasSuffix("\r\n\r\na"))
        }
    }
}
