// What this server may reach when a user or another server names an address: `ip_range_blacklist` and what belongs to it.

import MatrixCore

/// The rules for requests to addresses that others choose: identity servers, push gateways, previewed pages.
package struct OutboundConfiguration: Sendable {
    /// `ip_range_blacklist`: networks that are never connected to.
    package var blockedRanges = OutboundConfiguration.privateRanges
    /// `ip_range_whitelist`: parts of the above that are connected to nevertheless.
    package var allowedRanges: [AddressRange] = []
    /// `use_insecure_ssl_client_just_for_testing_do_not_use`.
    package var acceptsAnyCertificate = false
    /// `enable_3pid_lookup`: users may have identity servers asked.
    package var isThirdPartyLookupEnabled = true

    package init() {}

    /// Whether a connection to this address is allowed. Those that stand for "this host" never are, unless they are allowed by name.
    package func allows(_ address: AddressRange.Address) -> Bool {
        if allowedRanges.contains(where: { $0.contains(address) }) { return true }
        return !address.isUnspecified && !blockedRanges.contains { $0.contains(address) }
    }

    /// Networks that are not the internet. Synapse's default.
    package static let privateRanges = [
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "169.254.0.0/16",
        "192.88.99.0/24", "198.18.0.0/15", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "::1/128",
        "fe80::/10", "fc00::/7", "2001:db8::/32", "ff00::/8", "fec0::/10",
    ].compactMap { AddressRange($0) }
}
