// Those who give out access tokens in this server's place.

import MatrixCore

/// Knows access tokens that this server has not given out.
package protocol TokenAuthority: Sendable {
    /// What a token grants.
    ///
    /// - Throws: `M_UNKNOWN_TOKEN`; `M_UNKNOWN` with status 503 where the authority cannot be asked.
    func grant(of token: String) async throws -> TokenIntrospection.Grant
}
