// From matches of the index to what the user may see of them. Client-Server API §Server Side Search, Security considerations.

import MatrixCore
import Persistence
import Rooms

/// Through whose eyes results are seen.
struct SearchSight: Sendable {
    let viewer: UserID
    let ignored: Set<UserID>
    /// What of an event the index does not know. Rooms are chosen before.
    let filter: RoomEventFilter
    let rooms: [RoomNID: RoomID]
    /// The rooms that were looked at; nil for one that the user may not read.
    fileprivate var views: [RoomNID: RoomView?] = [:]

    init(viewer: UserID, ignored: Set<UserID>, filter: RoomEventFilter, rooms: [RoomNID: RoomID]) {
        self.viewer = viewer
        self.ignored = ignored
        var filter = filter
        filter.rooms = RoomSelection()
        self.filter = filter
        self.rooms = rooms
    }

    /// The room of a result.
    func view(of room: RoomNID) -> RoomView? { views[room] ?? nil }
}

extension SearchService {
    /// What a look through the matches gave.
    struct Finding {
        var results: [SearchResults.Result] = []
        /// Every match was looked at.
        var isExhausted = false
        /// Behind what was looked at; nil where nothing is left, or cannot be asked for.
        var next: SearchPlace?
    }

    /// How often the index is asked for more when few of its matches are to be seen.
    private static let roundLimit = 5
    /// As many matches at least are read at once.
    private static let batchSize = 20
    /// As many are weighed for one page by rank.
    private static let rankedLimit = 500

    /// The newest results.
    func newest(_ query: SearchQuery, limit: Int, by sight: inout SearchSight) async throws -> Finding {
        var found = Finding()
        var query = query
        for _ in 0..<Self.roundLimit where found.results.count < limit && !found.isExhausted {
            let (asked, size) = (query, max(2 * limit, Self.batchSize))
            let hits = try await read { try SearchStore.newest(asked, limit: size, on: $0) }
            guard try await take(hits, limit: limit, into: &found, by: &sight) else {
                found.next = found.results.last?.place
                return found
            }
            found.isExhausted = hits.count < size
            query.before = hits.last?.place
        }
        if !found.isExhausted { found.next = query.before }
        return found
    }

    /// The results of the highest rank. There is no second page, as in Synapse: ranks change with every message.
    func best(_ query: SearchQuery, limit: Int, by sight: inout SearchSight) async throws -> Finding {
        var found = Finding()
        let hits = try await read { try SearchStore.best(query, limit: Self.rankedLimit, on: $0) }
        let isWhole = try await take(hits, limit: limit, into: &found, by: &sight)
        found.isExhausted = isWhole && hits.count < Self.rankedLimit
        return found
    }

    /// Adds those of the matches that the user may see, up to the limit.
    ///
    /// - Returns: false where there was one too many.
    private func take(_ hits: [SearchHit], limit: Int, into found: inout Finding, by sight: inout SearchSight) async throws -> Bool {
        var rest = hits[...]
        while !rest.isEmpty {
            let slice = rest.prefix(max(limit + 1 - found.results.count, Self.batchSize))
            rest = rest.dropFirst(slice.count)
            for result in try await visible(Array(slice), by: &sight) {
                if found.results.count >= limit { return false }
                found.results.append(result)
            }
        }
        return true
    }

    private func visible(_ hits: [SearchHit], by sight: inout SearchSight) async throws -> [SearchResults.Result] {
        // Redacted since the index was written: what was said is not to be found by it.
        let loaded = try await events.events(hits.map(\.event)).filter { $0.redaction == nil }
        var shown: [EventNID: ViewedEvent] = [:]
        for (room, candidates) in Dictionary(grouping: loaded, by: \.roomNID) {
            guard let view = try await view(of: room, by: &sight) else { continue }
            let related = try await events.related(candidates, by: sight.filter)
            let wanted = candidates.filter { event in
                (related?.contains(event.id) ?? true)
                    && sight.filter.passes(type: event.type, sender: event.sender, room: event.roomID, content: event.contentIfReadable)
            }
            let originals = wanted.reduce(into: [:]) { $0[$1.nid] = $1 }
            // What an erased user said is shown to some without its content: that was not found.
            for event in try await history.viewed(wanted, in: view) where originals[event.event.nid] === event.event {
                shown[event.event.nid] = event
            }
        }
        return hits.compactMap { hit in
            shown[hit.event].map { SearchResults.Result(event: $0, rank: hit.rank, place: hit.place) }
        }
    }

    private func view(of room: RoomNID, by sight: inout SearchSight) async throws -> RoomView? {
        if let known = sight.views[room] { return known }
        guard let id = sight.rooms[room] else { return nil }
        var view: RoomView?
        do {
            view = try await history.view(of: id, for: sight.viewer, ignoring: sight.ignored)
        } catch let error as MatrixError where error.status == 403 {
            view = nil
        }
        sight.views.updateValue(view, forKey: room)
        return view
    }
}
