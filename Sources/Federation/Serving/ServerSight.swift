// Which events another server may see whole. Client-Server API §Room History Visibility, applied to servers: one sees what any of its
// users may.

import MatrixCore
import Persistence
import Rooms

/// Decides what of a room's events one server gets. What it may not see, it gets as after a redaction: so it can go on along the graph.
struct ServerSight: Sendable {
    let server: ServerName
    let room: RoomSnapshot
    /// Users of this server whose events are hidden from all who were not there with them.
    let erased: Set<UserID>

    /// The events as the server gets them, in their order.
    func shown(_ rows: [PDURow], on connection: any SQLConnection) throws -> [[UInt8]] {
        let hidden = try hidden(rows, on: connection)
        return try rows.map { row in
            guard erased.contains(row.sender) || hidden.contains(row.nid) else { return row.json }
            return Redaction.redact(
                try JSONDocument(parsing: row.json, limits: .lenientEvent).root, rules: room.version.redactionRules)
        }
    }

    /// Those that the server may see whole.
    func visible(_ rows: [PDURow], on connection: any SQLConnection) throws -> [PDURow] {
        let hidden = try hidden(rows, on: connection)
        return rows.filter { !erased.contains($0.sender) && !hidden.contains($0.nid) }
    }

    /// Those that the history visibility hides. Of outliers the state is not known: they were sent to this server by others.
    private func hidden(_ rows: [PDURow], on connection: any SQLConnection) throws -> Set<EventNID> {
        let rows = rows.filter { !$0.isOutlier }
        guard !rows.isEmpty, let key = try StateStore.keys([.historyVisibility], on: connection)[.historyVisibility] else { return [] }
        let layers = try StateLayers(rows.map(\.snapshot), on: connection)
        var setters: [EventNID: EventNID] = [:]
        for row in rows { setters[row.nid] = row.sets(.historyVisibility) ? row.nid : layers.event(key, at: row.snapshot) }
        var settings: [EventNID: HistoryVisibility] = [:]
        for row in try PDUStore.rows(Array(Set(setters.values)), on: connection) {
            let content = try JSONDocument(parsing: row.json, limits: .lenientEvent).root["content"]
            settings[row.nid] = HistoryVisibility(content: content)
        }

        var presence = ServerPresence(server: server, members: room.members(of: server), layers: layers)
        var hidden: Set<EventNID> = []
        for row in rows {
            let isSeen =
                switch setters[row.nid].flatMap({ settings[$0] }) ?? .shared {
                case .worldReadable, .shared: true
                case .invited: try presence.contains([.join, .invite], at: row, on: connection)
                case .joined: try presence.contains([.join], at: row, on: connection)
                }
            if !isSeen { hidden.insert(row.nid) }
        }
        return hidden
    }
}

/// What the users of one server were in a room, at places of its history.
private struct ServerPresence {
    let server: ServerName
    /// Whoever of the server has ever been in the room, longest there first: the first ones decide nearly always.
    let members: [RoomSnapshot.Member]
    let layers: StateLayers
    private var memberships: [EventNID: Membership] = [:]
    private var answers: [SnapshotID: [Set<Membership>: Bool]] = [:]

    private static let batchSize = 50

    init(server: ServerName, members: [RoomSnapshot.Member], layers: StateLayers) {
        self.server = server
        self.members = members
        self.layers = layers
    }

    /// Whether a user of the server has one of these memberships in the state after an event.
    mutating func contains(_ wanted: Set<Membership>, at row: PDURow, on connection: any SQLConnection) throws -> Bool {
        guard let user = row.member, user.belongs(to: server) else {
            if let known = answers[row.snapshot]?[wanted] { return known }
            let answer = try contains(wanted, in: row.snapshot, except: nil, on: connection)
            answers[row.snapshot, default: [:]][wanted] = answer
            return answer
        }
        if let membership = row.membership, wanted.contains(membership) { return true }
        return try contains(wanted, in: row.snapshot, except: user, on: connection)
    }

    private mutating func contains(
        _ wanted: Set<Membership>, in snapshot: SnapshotID, except user: UserID?, on connection: any SQLConnection
    ) throws -> Bool {
        for batch in members.chunked(Self.batchSize) {
            let events = batch.filter { $0.user != user }.compactMap { layers.event($0.entry.key, at: snapshot) }
            let unknown = events.filter { memberships[$0] == nil }
            if !unknown.isEmpty { memberships.merge(try PDUStore.memberships(unknown, on: connection)) { $1 } }
            if events.contains(where: { memberships[$0].map(wanted.contains) ?? false }) { return true }
        }
        return false
    }
}

extension PDURow {
    /// Whether this is the event of a key of the state.
    func sets(_ key: StateKey) -> Bool {
        type == key.type && stateKey == key.stateKey
    }

    /// The user whose membership this event sets.
    var member: UserID? {
        type == StateKey.memberType ? stateKey.map { UserID(trusted: $0.string) } : nil
    }
}
