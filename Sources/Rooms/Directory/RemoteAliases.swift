// The aliases of other servers, as far as rooms need them.

import MatrixCore

/// Resolves aliases of other servers by asking these.
package protocol RemoteAliases: Sendable {
    /// - Returns: the room and some servers that are in it, as the alias's server says; nil where it has no such alias.
    /// - Throws: `MatrixError` where the server cannot be asked.
    func resolve(_ alias: RoomAlias) async throws -> (room: RoomID, servers: [ServerName])?
}
