// Rooms that this server is not in, asked of those who are. Server-Server API §Spaces.

import Federation
import MatrixCore
import Synchronization

/// Asks another server. `FederationClient` does it; tests answer by themselves.
package protocol RemoteHierarchySource: Sendable {
    func hierarchy(of room: RoomID, suggestedOnly: Bool, at server: ServerName) async throws(FederationFailure) -> JSON
}

extension FederationClient: RemoteHierarchySource {}

/// Fetches rooms of other servers with their children, and remembers them for some minutes.
package final class RemoteSpaces: Sendable {
    private struct Question: Hashable {
        let room: RoomID
        let suggestedOnly: Bool
    }

    private struct State {
        var recent = RecentCache<Question, (found: RemoteHierarchy, at: ContinuousClock.Instant)>(capacity: 200)
    }

    private let source: any RemoteHierarchySource
    private let serverName: ServerName
    private let state = Mutex(State())
    private let slots = Slots(20)

    /// How many servers are asked for one room.
    private static let serverLimit = 3
    private static let memory = Duration.seconds(300)
    /// Bytes. Larger ones are not remembered.
    private static let sizeLimit = 100_000

    package init(source: any RemoteHierarchySource, serverName: ServerName) {
        self.source = source
        self.serverName = serverName
    }

    /// The room with its children, as the first of `servers` tells that knows it.
    package func hierarchy(of room: RoomID, via servers: [ServerName], suggestedOnly: Bool) async -> RemoteHierarchy? {
        let question = Question(room: room, suggestedOnly: suggestedOnly)
        if let known = state.withLock({ $0.recent.value(for: question) }), known.at.duration(to: .now) < Self.memory { return known.found }
        var asked: Set<ServerName> = [serverName]
        for server in servers where asked.count <= Self.serverLimit && asked.insert(server).inserted {
            guard let found = await slots.run({ await self.ask(server, question) }) else { continue }
            if found.size <= Self.sizeLimit { state.withLock { $0.recent.insert((found, .now), for: question) } }
            return found
        }
        return nil
    }

    private func ask(_ server: ServerName, _ question: Question) async -> RemoteHierarchy? {
        do throws(FederationFailure) {
            return RemoteHierarchy(
                try await source.hierarchy(of: question.room, suggestedOnly: question.suggestedOnly, at: server), of: question.room)
        } catch {
            // That a room is not known there is an answer like others.
            return nil
        }
    }
}
