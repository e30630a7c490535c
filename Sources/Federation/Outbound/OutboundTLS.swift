// TLS towards others: whom to trust, and which versions are spoken.

import MatrixCore
import NIOSSL
import ServerConfiguration
import Synchronization

/// The TLS contexts that all connections of one kind share: the system's authorities take a megabyte in each.
package final class OutboundTLS: Sendable {
    private let authorities: NIOSSLTrustRoots
    private let minimumVersion: TLSVersion
    private let verifiesCertificates: Bool
    private let unverifiedHosts: [Glob]
    private let contexts = Mutex<[Bool: NIOSSLContext]>([:])

    /// Towards servers of any kind.
    package init(_ policy: OutboundConfiguration) {
        authorities = .default
        minimumVersion = .tlsv12
        verifiesCertificates = !policy.acceptsAnyCertificate
        unverifiedHosts = []
    }

    /// Towards other homeservers.
    ///
    /// - Throws: where the authorities' files hold no certificates.
    package init(_ configuration: FederationConfiguration) throws {
        if let files = configuration.certificateAuthorities {
            authorities = .certificates(try files.flatMap { try NIOSSLCertificate.fromPEMFile($0) })
        } else {
            authorities = .default
        }
        minimumVersion =
            switch configuration.minimumTLSVersion {
            case .v1: .tlsv1
            case .v1_1: .tlsv11
            case .v1_2: .tlsv12
            case .v1_3: .tlsv13
            }
        verifiesCertificates = configuration.verifiesCertificates
        unverifiedHosts = configuration.unverifiedHosts
    }

    /// What begins TLS with the server `name`: a host's name, or an address without brackets.
    func handler(for name: String) throws -> NIOSSLClientHandler {
        let verifies = verifiesCertificates && !unverifiedHosts.contains { $0.matches(LowercasedText(name)) }
        // An address is not sent to the other side; its certificate has to hold the address that is connected to.
        let isAddress = AddressRange.Address(name) != nil
        return try NIOSSLClientHandler(context: context(verifies: verifies), serverHostname: isAddress ? nil : name)
    }

    private func context(verifies: Bool) throws -> NIOSSLContext {
        try contexts.withLock { contexts in
            if let context = contexts[verifies] { return context }
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.minimumTLSVersion = minimumVersion
            configuration.trustRoots = authorities
            configuration.certificateVerification = verifies ? .fullVerification : .none
            configuration.applicationProtocols = ["http/1.1"]
            let context = try NIOSSLContext(configuration: configuration)
            contexts[verifies] = context
            return context
        }
    }
}
