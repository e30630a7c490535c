// How this server deals with other servers: the options `federation_*`, `trusted_key_servers` and the section `federation`.

import MatrixCore

/// The operator's rules about other servers.
package struct FederationConfiguration: Sendable {
    /// The oldest TLS that is spoken to other servers.
    package enum TLSVersion: String, Sendable, CaseIterable {
        case v1 = "1"
        case v1_1 = "1.1"
        case v1_2 = "1.2"
        case v1_3 = "1.3"
    }

    /// One of `trusted_key_servers`: a notary.
    package struct KeyServer: Sendable {
        package var name: ServerName
        /// With which keys its answers must be signed; none where its own published keys are believed.
        package var verifyKeys: [ByteString: VerifyKey] = [:]
        /// Its answers count without a signature of its own.
        package var acceptsKeysInsecurely = false

        package init(name: ServerName) {
            self.name = name
        }
    }

    /// How requests are tried again, and how long a server that does not answer is left alone.
    package struct Retries: Sendable, Equatable {
        package var clientTimeout: Duration = .seconds(60)
        package var longestShortDelay: Duration = .seconds(2)
        package var longestLongDelay: Duration = .seconds(60)
        package var shortRetryCount = 3
        package var longRetryCount = 10
        package var destinationMinimum: Duration = .seconds(600)
        package var destinationMultiplier = 2
        package var destinationMaximum: Duration = .seconds(7 * 86_400)

        package init() {}
    }

    package var verifiesCertificates = true
    /// Hosts whose certificates are not verified, with `*` and `?`.
    package var unverifiedHosts: [Glob] = []
    /// PEM files of the authorities that are trusted instead of the system's; nil: the system's.
    package var certificateAuthorities: [String]?
    package var minimumTLSVersion = TLSVersion.v1
    /// `federation_ip_range_blacklist`, of older configurations: instead of `ip_range_blacklist`, for other servers alone.
    package var blockedRanges: [AddressRange]?
    /// `federation_domain_whitelist`: the only servers that are spoken with.
    package var allowedServers: Set<ServerName>?
    package var keyServers = [KeyServer(name: ServerName(trusted: "matrix.org"))]
    package var retries = Retries()
    /// `federation_rr_transactions_per_room_per_second`: how many servers a second are told what need not be told at once.
    package var receiptTransactionsPerSecond = 50
    package var allowsProfileLookup = true
    package var allowsDeviceNameLookup = false

    package init() {}

    package func allows(_ server: ServerName) -> Bool {
        allowedServers.map { $0.contains(server) } ?? true
    }
}
