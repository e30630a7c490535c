// All listeners of the configuration, as services.

import Glibc
import Homeserver
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle

import enum ServerConfiguration.FileText
import struct ServerConfiguration.Listener
import struct ServerConfiguration.ServerConfiguration

package enum HTTPServer {
    /// The services that serve `homeserver` on its listeners.
    ///
    /// - Parameters:
    ///   - eventLoops: the threads that serve the connections.
    ///   - routes: all endpoints; each listener takes those of its resources.
    ///   - accessLog: makes the logger of a listener from its tag.
    ///   - didStart: called for each address when it is bound.
    /// - Throws: `ListenerError` where a certificate or key cannot be used.
    package static func services(
        for homeserver: Homeserver, on eventLoops: EventLoops, routes: [Route] = Routes.all, logger: Logger,
        accessLog: (_ tag: String) -> Logger,
        didStart: @escaping @Sendable (_ address: String) async -> Void
    ) throws -> [ListenerService] {
        let configuration = homeserver.configuration
        let tls = try tlsConfiguration(configuration)
        let connectionLimit = OpenFiles.raiseLimit(
            softLimit: configuration.softFileLimit, connections: configuration.budgets.connectionCount)
        let routes = MediaRoutes.select(from: DelegatedRoutes.select(from: routes, for: configuration), for: configuration)
        return try configuration.listeners.flatMap { listener in
            let responder = APIResponder(homeserver: homeserver, routes: listener.select(from: routes))
            let context = ListenerContext(
                listener, responder: responder, log: RequestLog(logger: accessLog(listener.tag)), eventLoops: eventLoops)
            return try ListenerService.services(
                for: listener, context: context, tls: tls, connectionLimit: connectionLimit, group: eventLoops.group, logger: logger,
                didStart: didStart)
        }
    }

    private static func tlsConfiguration(_ configuration: ServerConfiguration) throws -> TLSConfiguration? {
        guard configuration.listeners.contains(where: \.tls),
            let certificate = configuration.tlsCertificatePath, let key = configuration.tlsPrivateKeyPath
        else { return nil }
        return try ListenerService.tlsConfiguration(certificatePath: certificate, privateKeyPath: key)
    }
}

/// The limit on open files, of which every connection takes one.
enum OpenFiles {
    /// What is kept for the database, logs, media and outgoing connections.
    private static let reserve = 256

    /// Raises the process's limit to `softLimit`, or as far as the system lets it where that is 0.
    ///
    /// - Returns: how many connections fit, at most `connections`.
    static func raiseLimit(softLimit: Int, connections: Int) -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 512 }
        // Beyond this no connection would be accepted anyway.
        let wanted = rlim_t(softLimit > 0 ? softLimit : connections + reserve)
        if limit.rlim_cur < wanted {
            limit.rlim_cur = min(wanted, limit.rlim_max)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        let files = Int(min(limit.rlim_cur, 1 << 20))
        return max(64, min(connections, files - reserve))
    }
}
