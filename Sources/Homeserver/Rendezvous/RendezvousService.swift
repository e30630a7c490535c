// The meeting places of this server: for both proposals, each with its own.

import MatrixCore
import Persistence
import ServerConfiguration
import Synchronization

/// Keeps meeting places in memory: they are for a minute or two, and mean nothing after a restart.
package final class RendezvousService: Sendable {
    /// Those that are spoken with by headers. MSC4108.
    package let byHeaders = Places(lifetime: 60_000)
    /// Those that are spoken with by JSON. MSC4388.
    package let byJSON = Places(lifetime: 120_000)

    package init() {}

    package final class Places: Sendable {
        private let sessions: Mutex<RendezvousSessions>
        /// Bytes of one message.
        package let sizeLimit: Int

        init(lifetime: Int64) {
            let limits = RendezvousSessions.Limits(lifetime: lifetime)
            sizeLimit = limits.size
            sessions = Mutex(RendezvousSessions(limits: limits))
        }

        /// - Throws: `M_TOO_LARGE`.
        package func begin(_ data: [UInt8]) throws(MatrixError) -> (id: String, session: RendezvousSession) {
            try check(data)
            let id = SessionToken.randomLetters(32), now = Timestamp.now
            return (id, sessions.withLock { $0.begin(id, data, at: now) })
        }

        /// - Throws: `M_NOT_FOUND`.
        package func session(_ id: String) throws(MatrixError) -> RendezvousSession {
            let now = Timestamp.now
            guard let session = sessions.withLock({ $0.session(id, at: now) }) else { throw Self.unknown }
            return session
        }

        /// - Throws: `M_NOT_FOUND`, `M_TOO_LARGE`.
        package func change(
            _ id: String, to data: [UInt8], since tags: [String]
        ) throws(MatrixError) -> RendezvousSessions.Change {
            try check(data)
            let now = Timestamp.now
            let change = sessions.withLock { $0.change(id, to: data, since: tags, at: now) }
            guard change != .unknown else { throw Self.unknown }
            return change
        }

        /// - Throws: `M_NOT_FOUND`.
        package func end(_ id: String) throws(MatrixError) {
            let now = Timestamp.now
            guard sessions.withLock({ $0.end(id, at: now) }) else { throw Self.unknown }
        }

        private func check(_ data: [UInt8]) throws(MatrixError) {
            guard data.count <= sizeLimit else { throw .tooLarge("Payload too large") }
        }

        private static let unknown = MatrixError.notFound("Rendezvous not found")
    }
}
