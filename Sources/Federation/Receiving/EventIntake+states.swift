// States that other servers tell of, large ones a part after the other. Server-Server API §Retrieving events.

import MatrixCore
import Persistence
import Rooms

extension EventIntake {
    /// How many events of a state are checked at once, and how many are stored at once: the room and the Journal are for others in between.
    private static let checkedAtOnce = 2000
    private static let storedAtOnce = 500
    /// How often events of a state are looked through for those that stand on others of them.
    private static let passLimit = 3

    /// What the room's state before an event is, as a server says. Its events are here then.
    ///
    /// - Returns: those that are here and not refused: what the server names and does not give is not part of it.
    package func state(before event: EventID, in room: Room, from server: ServerName) async throws -> [EventID] {
        let ids = try await client.stateIDs(of: room.id, at: event, from: server)
        try await fetchEvents(of: ids, besides: [], at: event, in: room, from: server)
        return try await usable(ids.state, in: room)
    }

    /// What the room's state after an event is that need not be here, as a server says.
    package func state(after event: EventID, in room: Room, from server: ServerName) async throws -> [EventID] {
        let (ids, server) = try await ask(server, in: room) { server throws(FederationFailure) in
            (try await client.stateIDs(of: room.id, at: event, from: server), server)
        }
        // What the event itself sets, it says.
        try await fetchEvents(of: ids, besides: [event], at: event, in: room, from: server)
        let state = try await usable(ids.state, in: room)
        let own = try await usable([event], in: room)
        return own.isEmpty ? state : try await stateByKey(state + own, in: room).map(\.value)
    }

    // MARK: Steps

    /// Makes sure that the events of a state are here.
    private func fetchEvents(
        of ids: RemoteStateIDs, besides others: Set<EventID>, at event: EventID, in room: Room, from server: ServerName
    ) async throws {
        let missing = try await missing(ids.state + ids.authChain + others)
        if missing.count > Self.singleFetchLimit {
            try await store(try await client.state(of: room.id, at: event, from: server), in: room)
            let rest = others.intersection(missing)
            if !rest.isEmpty { try await room.storeOutliers(fetch(rest, in: room, from: server)) }
        } else if !missing.isEmpty {
            try await room.storeOutliers(fetch(missing, in: room, from: server))
        }
    }

    /// Checks and stores the events of a large state. No more than a part of them is unpacked at any time.
    private func store(_ list: [JSON], in room: Room) async throws {
        // What an event stands on is less deep than itself. Where somebody lies about that, another pass finds it.
        var rest = list.map { (json: $0, depth: $0["depth"]?.int ?? 0) }.sorted { $0.depth < $1.depth }.map(\.json)
        for _ in 0..<Self.passLimit where !rest.isEmpty {
            var left: [JSON] = []
            for start in stride(from: 0, to: rest.count, by: Self.checkedAtOnce) {
                left += try await storePart(rest[start..<min(start + Self.checkedAtOnce, rest.count)], in: room)
            }
            guard left.count < rest.count else { return }
            rest = left
        }
    }

    /// - Returns: those that cannot be stored yet.
    private func storePart(_ list: ArraySlice<JSON>, in room: Room) async throws -> [JSON] {
        var parsed: [(event: Event, json: JSON)] = []
        for json in list {
            do { parsed.append((try EventVerifier.parse(json, version: room.version, in: room.id), json)) } catch { continue }
        }
        let unknown = try await missing(parsed.map(\.event.id))
        let new = parsed.filter { unknown.contains($0.event.id) }
        let verified = try await verifier.verified(new.map(\.event)).events
        for start in stride(from: 0, to: verified.count, by: Self.storedAtOnce) {
            try await room.storeOutliers(Array(verified[start..<min(start + Self.storedAtOnce, verified.count)]))
        }
        let left = try await missing(verified.map(\.id))
        return new.filter { left.contains($0.event.id) }.map(\.json)
    }

    private func missing(_ ids: [EventID]) async throws -> Set<EventID> {
        Set(ids).subtracting(try await standings(ids).keys)
    }

    private func usable(_ ids: [EventID], in room: Room) async throws -> [EventID] {
        let here = try await standings(ids)
        return ids.filter { id in here[id].map { !$0.isRejected && $0.room == room.nid } ?? false }
    }
}
