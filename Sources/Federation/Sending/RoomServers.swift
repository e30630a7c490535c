// Which other servers are in a room when an event of it is sent, and who gets the event.

import HashTreeCollections
import MatrixCore
import Persistence
import Rooms

/// Joined members by server.
package typealias ServerCounts = TreeDictionary<ServerName, Int>

/// Where an event goes.
package struct EventRoute: Sendable {
    package let event: TimelineEvent
    /// The servers that get it.
    package var servers: Set<ServerName> = []
    /// Servers that come into the room or leave it by the event.
    package var changes: [ServerRoomChange] = []

    package init(_ event: TimelineEvent) {
        self.event = event
    }

    package var isEmpty: Bool { servers.isEmpty && changes.isEmpty }

    /// The servers that came.
    package var arrivals: [ServerName] { changes.filter { $0.lastPosition == nil }.map(\.server) }
}

/// Follows, event by event, which servers have a joined member in which room: a value, fed in order of the stream.
///
/// An event goes to the servers that were in its room before it. A room's present state may be newer than the event: then the servers
/// count as they were known after the event before, and only what the event itself changes is taken from the present.
package struct RoomServers {
    /// The room's members by server at the moment.
    package struct Present {
        package let counts: ServerCounts
        /// Whether this is newer than the event.
        package let isAhead: Bool

        package init(counts: ServerCounts, isAhead: Bool) {
            self.counts = counts
            self.isAhead = isAhead
        }

        package init(_ room: RoomSnapshot, at event: TimelineEvent) {
            self.init(counts: room.servers, isAhead: room.position > event.position)
        }
    }

    private struct Known {
        /// As the room counts them; equal to the present ones, and quickly found to be, unless somebody came or went. nil: not known.
        var counts: ServerCounts?
        var others: Set<ServerName>
    }

    private let serverName: ServerName
    private var known = RecentCache<RoomNID, Known>(capacity: 4096)

    package init(serverName: ServerName) {
        self.serverName = serverName
    }

    /// Whether other servers may have to do with an event at all.
    package func concerns(_ event: TimelineEvent) -> Bool {
        isSent(event) || otherServer(movedBy: event) != nil || event.resolvesForks
    }

    /// Whether it is for this server to send the event.
    private func isSent(_ event: TimelineEvent) -> Bool { event.sender.belongs(to: serverName) || event.isRelayed }

    /// Whether `take` has to be told what is stored of the event's room.
    package mutating func needsStored(for event: TimelineEvent, _ present: Present) -> Bool {
        guard known.value(for: event.roomNID) == nil else { return false }
        // Where nobody comes or goes and no other server is there, there is nothing to ask the database about.
        return present.isAhead || otherServer(movedBy: event) != nil || !others(in: present.counts).isEmpty
    }

    /// Takes in the next event of the commit stream.
    ///
    /// - Parameter stored: the other servers in the room as they are stored, if they are asked for.
    package mutating func take(_ event: TimelineEvent, _ present: Present, stored: [ServerName]?) -> EventRoute {
        let before = known.value(for: event.roomNID) ?? Known(counts: nil, others: Set(stored ?? []))
        var after = before
        if !present.isAhead {
            if before.counts != present.counts { after = Known(counts: present.counts, others: others(in: present.counts)) }
        } else if let server = otherServer(movedBy: event) {
            if present.counts[server] == nil { after.others.remove(server) } else { after.others.insert(server) }
            after.counts = nil
        }
        known.insert(after, for: event.roomNID)

        var route = EventRoute(event)
        if isSent(event), !isOutOfBand(event, present.counts) {
            route.servers = present.isAhead ? before.others : after.others
            if let server = otherServerToTell(of: event) { route.servers.insert(server) }
            if let server = source(ofRelayed: event) { route.servers.remove(server) }
        }
        guard after.others != before.others else { return route }
        for server in after.others.subtracting(before.others) {
            route.changes.append(ServerRoomChange(server: server, room: event.roomNID))
        }
        for server in before.others.subtracting(after.others) {
            let last = route.servers.contains(server) ? event.position : .zero
            route.changes.append(ServerRoomChange(server: server, room: event.roomNID, lastPosition: last))
        }
        return route
    }

    // MARK: Who is concerned

    /// The server whose user comes or goes.
    private func otherServer(movedBy event: TimelineEvent) -> ServerName? {
        guard event.moves, let member = event.member, !member.belongs(to: serverName) else { return nil }
        return member.server
    }

    /// The server that gave a join, a leave or a knock of its user to this server, to pass it on.
    private func source(ofRelayed event: TimelineEvent) -> ServerName? {
        event.isRelayed && event.member == event.sender ? event.sender.server : nil
    }

    /// A member whom the event took out of the room, or out of the invitation to it, is told by it, too.
    private func otherServerToTell(of event: TimelineEvent) -> ServerName? {
        guard let member = event.member, !member.belongs(to: serverName) else { return nil }
        let isRemoved = event.previousMembership == .join && event.membership != .join
        let isInviteWithdrawn = event.previousMembership == .invite && event.membership == .leave && event.sender != member
        return isRemoved || isInviteWithdrawn ? member.server : nil
    }

    /// Whether the event went to the room through another server, which has told the others: this server's first join, and what a user
    /// says to an invite or by a knock from outside.
    private func isOutOfBand(_ event: TimelineEvent, _ counts: ServerCounts) -> Bool {
        guard let member = event.member, event.sender == member, event.previousMembership != .join, member.belongs(to: serverName)
        else { return false }
        let own = counts[serverName] ?? 0
        return event.membership == .join ? own == 1 && counts.count > 1 : own == 0
    }

    private func others(in counts: ServerCounts) -> Set<ServerName> {
        var others = Set(counts.keys)
        others.remove(serverName)
        return others
    }
}

extension TimelineEvent {
    /// Whose membership the event sets.
    package var member: UserID? {
        guard membership != nil, let stateKey else { return nil }
        return UserID(valid: stateKey.string)
    }

    /// Whether the event takes its member into the room or out of it.
    package var moves: Bool { membership != nil && (membership == .join) != (previousMembership == .join) }
}
