// Where the server of a configuration can be reached from this machine.

import ServerConfiguration

enum ServerAddress {
    static let fallback = "http://localhost:8008"

    /// The first listener without TLS that serves clients.
    static func of(_ configuration: ServerConfiguration) -> String? {
        for listener in configuration.listeners where !listener.tls && listener.resources.contains(.client) {
            guard case .tcp(let addresses, let port) = listener.binding else { continue }
            return "http://\(host(addresses)):\(port)"
        }
        return nil
    }

    private static func host(_ addresses: [String]) -> String {
        let local: Set<String> = ["0.0.0.0", "::", "127.0.0.1", "::1", "localhost"]
        guard let other = addresses.first, !addresses.contains(where: local.contains) else { return "localhost" }
        return other.contains(":") ? "[\(other)]" : other
    }
}
