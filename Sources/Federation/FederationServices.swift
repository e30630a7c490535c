// What speaks with other servers, put together.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Everything by which this server asks others, and by which it knows who asks it.
package struct FederationServices: Sendable {
    package let client: FederationClient
    package let resolver: ServerResolver
    package let destinations: Destinations
    package let keyRing: KeyRing
    package let notary: KeyNotary
    package let authenticator: FederationAuthenticator
    package let rateLimiter: FederationRateLimiter

    /// - Parameter signingKeys: the first one signs; all count as this server's.
    /// - Throws: where the certificates of the configuration cannot be read.
    package init(
        _ configuration: ServerConfiguration, signingKeys: [SigningKey], signingKey: SigningKey, publishedKeys: PublishedKeys,
        database: any Database, logger: Logger
    ) throws {
        let rules = configuration.federation
        let serverName = configuration.serverName
        var policy = configuration.outbound
        policy.blockedRanges = rules.blockedRanges ?? policy.blockedRanges
        let connections = OutboundConnections(policy: policy, tls: try OutboundTLS(rules))
        resolver = ServerResolver(source: NetworkDiscovery(connections, logger: logger))
        destinations = Destinations(database: database, retries: rules.retries, logger: logger)
        client = FederationClient(
            serverName: serverName, signingKey: signingKey, configuration: rules, resolver: resolver, connections: connections,
            destinations: destinations, logger: logger)
        keyRing = KeyRing(
            serverName: serverName, ownKeys: signingKeys, configuration: rules, source: KeyFetcher(client: client, logger: logger),
            database: database, logger: logger)
        notary = KeyNotary(
            serverName: serverName, signingKey: signingKey, published: publishedKeys, keyRing: keyRing, configuration: rules,
            database: database)
        authenticator = FederationAuthenticator(
            serverName: serverName, configuration: rules, keyRing: keyRing, destinations: destinations, logger: logger)
        rateLimiter = FederationRateLimiter(configuration.rateLimits.federation)
    }
}
