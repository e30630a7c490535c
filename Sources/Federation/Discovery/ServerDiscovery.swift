// From a server's name to where it is reached. Server-Server API §Resolving server names.

import MatrixCore

/// Where a server is reached, and as whom it has to show itself.
package struct ServerRoute: Sendable, Hashable {
    package struct Target: Sendable, Hashable {
        /// A host's name, or an address without brackets.
        package let host: String
        package let port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// In the order in which they are tried.
    package let targets: [Target]
    /// The `Host` header.
    package let hostHeader: String
    /// What the certificate must hold: a host's name, or an address without brackets.
    package let tlsName: String

    package init(targets: [Target], hostHeader: String, tlsName: String) {
        self.targets = targets
        self.hostHeader = hostHeader
        self.tlsName = tlsName
    }

    package var endpoints: [OutboundEndpoint] {
        targets.map { OutboundEndpoint(host: $0.host, port: $0.port, tlsName: tlsName) }
    }
}

/// The decisions of resolving one name: it says what to ask, is told the answer, and says what to ask next.
package struct ServerDiscovery: Sendable {
    package enum Step: Sendable, Hashable {
        /// Steps 3: `https://HOST/.well-known/matrix/server`.
        case wellKnown(host: String)
        /// Steps 3.3, 3.4, 4 and 5: SRV records of this name.
        case services(name: String)
        case found(ServerRoute)
        /// The server says that it is not to be found.
        case unavailable
    }

    package static let defaultPort = 8448

    package private(set) var step: Step
    /// The name that is resolved: the server's own, or the one that it delegates to.
    private var name: ServerName

    /// Steps 1 and 2: addresses and explicit ports are taken as they are.
    package init(_ server: ServerName) {
        name = server
        step = Self.direct(server) ?? .wellKnown(host: server.host)
    }

    /// - Parameter delegated: whom `m.server` names; nil where there is no valid answer.
    package mutating func wellKnown(_ delegated: ServerName?) {
        guard case .wellKnown = step else { return }
        if let delegated { name = delegated }
        step = delegated.flatMap { Self.direct($0) } ?? .services(name: "\(Self.current)\(name.host)")
    }

    /// - Parameter records: in the order in which they are tried; empty where there are none.
    package mutating func services(_ records: [SRVRecord]) {
        guard case .services(let asked) = step else { return }
        guard records.isEmpty else {
            let targets = records.filter { !$0.target.isEmpty && $0.port > 0 }.map { ServerRoute.Target(host: $0.target, port: $0.port) }
            let route = ServerRoute(targets: targets, hostHeader: name.string, tlsName: name.host)
            step = targets.isEmpty ? .unavailable : .found(route)
            return
        }
        if asked.hasPrefix(Self.current) {
            step = .services(name: "\(Self.deprecated)\(name.host)")
        } else {
            step = .found(Self.route(to: name, port: Self.defaultPort))
        }
    }

    private static let current = "_matrix-fed._tcp."
    private static let deprecated = "_matrix._tcp."

    private static func direct(_ name: ServerName) -> Step? {
        if let port = name.port {
            return (1...65535).contains(port) ? .found(route(to: name, port: port)) : .unavailable
        }
        return name.isLiteralAddress ? .found(route(to: name, port: defaultPort)) : nil
    }

    private static func route(to name: ServerName, port: Int) -> ServerRoute {
        let host = name.unbracketedHost
        return ServerRoute(targets: [ServerRoute.Target(host: host, port: port)], hostHeader: name.string, tlsName: host)
    }
}
