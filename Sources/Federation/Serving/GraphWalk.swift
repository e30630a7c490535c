// Walks back along `prev_events`. Server-Server API §Backfilling and retrieving missing events.

import MatrixCore
import Persistence

/// Finds the events before others in one room's graph. An event of another room ends the walk like one that is not there.
///
/// Only the events that are found are read whole; of those that they name, where they stand.
struct GraphWalk {
    private let room: RoomNID
    private let version: RoomVersion
    private let limit: Int
    /// Events that were read ahead.
    private var ahead: [EventNID: PDURow] = [:]

    init(room: RoomNID, version: RoomVersion, limit: Int) {
        self.room = room
        self.version = version
        self.limit = limit
    }

    /// `start` and what came before, always the deepest event that is known next.
    mutating func deepestFirst(from start: [EventID], on connection: any SQLConnection) throws -> [PDURow] {
        var found: [PDURow] = []
        var known = Set(start)
        var front = try PDUStore.places(Array(known), in: room, on: connection).sorted(by: Self.isShallower)
        try readAhead(front, on: connection)
        while found.count < limit, let next = front.popLast() {
            guard let row = try rows([next], on: connection).first else { continue }
            found.append(row)
            let previous = try previous(of: row).filter { known.insert($0).inserted }
            for place in try PDUStore.places(previous, in: room, on: connection) {
                front.insert(place, at: front.firstIndex { !Self.isShallower($0, place) } ?? front.endIndex)
            }
        }
        return found
    }

    /// What came before the latest events, without what the server has, the nearest first.
    mutating func breadthFirst(_ request: MissingEventsRequest, on connection: any SQLConnection) throws -> [PDURow] {
        var found: [PDURow] = []
        var known = Set(request.earliest)
        let latest = try PDUStore.places(request.latest.filter { known.insert($0).inserted }, in: room, on: connection)
        try readAhead(latest, on: connection)
        var front = try rows(latest, on: connection)
        while found.count < limit, !front.isEmpty {
            var next: [EventID] = []
            for row in front { next += try previous(of: row).filter { known.insert($0).inserted } }
            let places = try PDUStore.places(next, in: room, on: connection).filter { $0.depth >= request.minimumDepth }
            front = try rows(places.sorted { Self.isShallower($1, $0) }.prefix(limit - found.count), on: connection)
            found += front
        }
        return found
    }

    // MARK: Steps

    /// The graph at an outlier is not known.
    private func previous(of row: PDURow) throws -> [EventID] {
        row.isOutlier ? [] : try PDULinks.prevEvents(of: row.json, version: version)
    }

    /// A room's timeline is mostly its graph: what is wanted stands before the newest of these.
    private mutating func readAhead(_ places: [PDUPlace], on connection: any SQLConnection) throws {
        guard let newest = places.compactMap(\.position).max() else { return }
        for row in try PDUStore.before(newest, in: room, limit: limit, on: connection) { ahead[row.nid] = row }
    }

    private func rows(_ places: some Sequence<PDUPlace>, on connection: any SQLConnection) throws -> [PDURow] {
        let missing = places.map(\.nid).filter { ahead[$0] == nil }
        let read = try PDUStore.rows(missing, on: connection).reduce(into: [:]) { $0[$1.nid] = $1 }
        return places.compactMap { ahead[$0.nid] ?? read[$0.nid] }
    }

    private static func isShallower(_ a: PDUPlace, _ b: PDUPlace) -> Bool {
        (a.depth, a.position?.value ?? .min) < (b.depth, b.position?.value ?? .min)
    }
}
