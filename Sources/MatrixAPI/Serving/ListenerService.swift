// A listener as a service: binds its addresses, serves until the server stops.

import Glibc
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle

import struct ServerConfiguration.Listener

/// Why a listener could not begin, with what to do about it.
package struct ListenerError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(address: String, reason: String) { description = "cannot listen on \(address): \(reason)" }

    init(_ description: String) { self.description = description }
}

/// Serves one address of a listener.
package struct ListenerService: Service {
    private let name: String
    private let server: any Service

    package func run() async throws {
        do {
            try await server.run()
        } catch let error as IOError {
            throw ListenerError(address: name, reason: Self.explain(error))
        } catch let error as SocketAddressError {
            throw ListenerError(address: name, reason: "the address is not one of this machine (\(error))")
        }
    }

    // MARK: Building

    /// How many services a listener has.
    package static func addressCount(of listener: Listener) -> Int { bindings(of: listener).count }

    /// The certificate and key that TLS listeners present.
    package static func tlsConfiguration(certificatePath: String, privateKeyPath: String) throws -> TLSConfiguration {
        let certificates: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
        do { certificates = try NIOSSLCertificate.fromPEMFile(certificatePath) } catch {
            throw ListenerError("tls_certificate_path \(certificatePath) holds no certificate: \(error)")
        }
        do { key = try NIOSSLPrivateKey(file: privateKeyPath, format: .pem) } catch {
            throw ListenerError("tls_private_key_path \(privateKeyPath) holds no private key: \(error)")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        // Who does not read any more does not say goodbye either: a server that stops would wait for all of them.
        configuration.shutdownTimeout = .seconds(1)
        return configuration
    }

    /// One service for each address of `listener`.
    ///
    /// - Parameters:
    ///   - tls: needed where `listener.tls`.
    ///   - connectionLimit: the most open connections for each address; further ones wait to be accepted.
    ///   - didStart: called when an address is bound.
    package static func services(
        for listener: Listener, context: ListenerContext, tls: TLSConfiguration?, connectionLimit: Int, group: any EventLoopGroup,
        logger: Logger,
        didStart: @escaping @Sendable (_ address: String) async -> Void
    ) throws -> [ListenerService] {
        let channel = MatrixChannel(listener: context)
        // Hummingbird's own lines repeat ours.
        var quiet = logger
        quiet.logLevel = .warning
        return try bindings(of: listener).map { address, name in
            let configuration = HummingbirdCore.ServerConfiguration(
                address: address, serverName: nil, backlog: 1024, reuseAddress: true,
                availableConnectionsDelegate: .maximum(connectionLimit, logger: quiet))
            let onRunning: @Sendable (any Channel) async -> Void = { _ in
                if case .unix(let path, let mode) = listener.binding { chmod(path, mode) }
                await didStart(name)
            }
            let server: any Service =
                if let tls, listener.tls {
                    try TLSChannel(channel, tlsConfiguration: tls).server(
                        configuration: configuration, onServerRunning: onRunning, eventLoopGroup: group, logger: quiet)
                } else {
                    channel.server(configuration: configuration, onServerRunning: onRunning, eventLoopGroup: group, logger: quiet)
                }
            return ListenerService(name: name, server: server)
        }
    }

    /// The addresses to bind. Where all of IPv6 is asked for, Linux gives all of IPv4 with it: binding that too would fail.
    private static func bindings(of listener: Listener) -> [(BindAddress, name: String)] {
        switch listener.binding {
        case .unix(let path, _): return [(.unixDomainSocket(path: path), path)]
        case .tcp(let addresses, let port):
            let coversIPv4 = addresses.contains("::") && addresses.contains("0.0.0.0") && DualStack.isDefault
            return addresses.filter { !(coversIPv4 && $0 == "0.0.0.0") }.map { address in
                let host = address == "::" && !DualStack.hasIPv6 ? "0.0.0.0" : address
                let shown = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
                return (.hostname(host, port: port), shown)
            }
        }
    }

    private static func explain(_ error: IOError) -> String {
        switch error.errnoCode {
        case EADDRINUSE: "another program uses this port already; is the server running twice?"
        case EACCES: "not allowed; ports below 1024 need CAP_NET_BIND_SERVICE"
        case EADDRNOTAVAIL: "the address is not one of this machine"
        default: String(cString: strerror(error.errnoCode))
        }
    }
}

/// What this machine does with `::`.
enum DualStack {
    /// Whether a socket bound to `::` takes IPv4 connections too.
    static var isDefault: Bool { hasIPv6 && !(firstByte(of: "/proc/sys/net/ipv6/bindv6only") == UInt8(ascii: "1")) }

    static var hasIPv6: Bool {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return firstByte(of: "/proc/sys/net/ipv6/conf/all/disable_ipv6") != UInt8(ascii: "1")
    }

    private static func firstByte(of path: String) -> UInt8? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var byte: UInt8 = 0
        return read(descriptor, &byte, 1) == 1 ? byte : nil
    }
}
