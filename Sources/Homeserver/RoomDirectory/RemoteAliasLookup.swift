// Aliases of other servers. Server-Server API §Querying for information.

import MatrixCore
import Rooms

/// Asks for aliases of other servers, each once for all who want to know at a time: anybody may ask, also without an account.
package final class RemoteAliasLookup: RemoteAliases {
    private struct Found: Sendable {
        let room: RoomID
        let servers: [ServerName]
    }

    private let source: any RemoteAliases
    /// An alias may be given to a room at any moment: nothing is remembered.
    private let fetches = SharedFetches<RoomAlias, Found?>(atOnce: 50, memory: .zero, capacity: 1)

    package init(source: any RemoteAliases) {
        self.source = source
    }

    package func resolve(_ alias: RoomAlias) async throws -> (room: RoomID, servers: [ServerName])? {
        let source = source
        let found = try await fetches.value(for: alias) {
            do {
                return .success(try await source.resolve(alias).map { Found(room: $0.room, servers: $0.servers) })
            } catch let error as MatrixError {
                return .failure(error)
            } catch {
                return .failure(.unknown("Failed to fetch alias", status: 502))
            }
        }
        return found.map { ($0.room, $0.servers) }
    }
}
