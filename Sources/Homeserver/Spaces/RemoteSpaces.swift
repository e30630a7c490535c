// Rooms that this server is not in, asked of those who are. Server-Server API §Spaces.

import Federation
import MatrixCore

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

    private let source: any RemoteHierarchySource
    private let serverName: ServerName
    private let fetches = SharedFetches<Question, RemoteHierarchy>(atOnce: 20, memory: .seconds(300), capacity: 200) {
        $0.size <= RemoteSpaces.sizeLimit
    }

    /// How many servers are asked for one room.
    private static let serverLimit = 3
    /// Bytes. Larger ones are not remembered.
    private static let sizeLimit = 100_000

    package init(source: any RemoteHierarchySource, serverName: ServerName) {
        self.source = source
        self.serverName = serverName
    }

    /// The room with its children, as the first of `servers` tells that knows it.
    package func hierarchy(of room: RoomID, via servers: [ServerName], suggestedOnly: Bool) async -> RemoteHierarchy? {
        var others: [ServerName] = []
        for server in servers where server != serverName && !others.contains(server) && others.count < Self.serverLimit {
            others.append(server)
        }
        guard !others.isEmpty else { return nil }
        let (question, asked) = (Question(room: room, suggestedOnly: suggestedOnly), others)
        do {
            return try await fetches.value(for: question) { await self.ask(asked, question) }
        } catch {
            // Nobody knows the room, or nobody waits for the answer any more.
            return nil
        }
    }

    private func ask(_ servers: [ServerName], _ question: Question) async -> Result<RemoteHierarchy, MatrixError> {
        for server in servers {
            do throws(FederationFailure) {
                let answer = try await source.hierarchy(of: question.room, suggestedOnly: question.suggestedOnly, at: server)
                if let found = RemoteHierarchy(answer, of: question.room) { return .success(found) }
            } catch {
                // That a room is not known there is an answer like others.
                continue
            }
        }
        return .failure(.notFound())
    }
}
