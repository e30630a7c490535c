// The addresses of a host, by the system's resolver.

import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Threads that may wait for name servers: a slow one must not hold up those who share the process's other threads.
enum ResolverThreads {
    static let pool: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 8)
        pool.start()
        return pool
    }()
}

/// Looks hosts up.
enum HostAddresses {
    /// The same as `resolve`, on a thread that may wait.
    static func lookUp(_ host: String) async throws -> [String] {
        try await ResolverThreads.pool.runIfActive { resolve(host) }
    }

    /// The addresses as they are written, IPv4 before IPv6, each once; none for a host that has none.
    static func resolve(_ host: String) -> [String] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [(family: Int32, text: String)] = []
        var entry = list
        while let current = entry {
            let info = current.pointee
            if let text = text(of: info), !found.contains(where: { $0.text == text }) { found.append((info.ai_family, text)) }
            entry = info.ai_next
        }
        return found.filter { $0.family == AF_INET }.map(\.text) + found.filter { $0.family == AF_INET6 }.map(\.text)
    }

    private static func text(of info: addrinfo) -> String? {
        guard info.ai_family == AF_INET || info.ai_family == AF_INET6 else { return nil }
        var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(info.ai_addr, info.ai_addrlen, &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST) == 0 else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
