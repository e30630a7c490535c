// The snapshots of the first version of the API: of one room, and of all rooms of a user. Client-Server API, GET /initialSync and
// GET /rooms/{roomId}/initialSync (deprecated; the latter is also how clients preview rooms).

import MatrixCore
import Persistence
import Rooms

/// A room as `initialSync` shows it.
package struct RoomInitialSync: Sendable {
    package let room: RoomID
    /// nil for who only looks into a room that all the world may read.
    package let membership: Membership?
    package var isPublic = false
    /// For an invite: the event itself.
    package var invite: TimelineEvent?
    /// For a room that the user may read.
    package var content: Content?
    package var accountData: [AccountDataItem] = []

    package struct Content: Sendable {
        /// Oldest first.
        package let messages: [ViewedEvent]
        package let start: StreamPosition
        package let end: StreamPosition
        package let state: [TimelineEvent]
    }
}

/// Everything of one user.
package struct UserInitialSync: Sendable {
    package var rooms: [RoomInitialSync] = []
    package var presences: [(user: UserID, presence: UserPresence)] = []
    /// By room the content of an `m.receipt` event, a JSON object.
    package var receipts: [RoomID: [UInt8]] = [:]
    package var accountData: [AccountDataItem] = []
    package let end: StreamPosition
}

extension EventStream {
    /// What the room's members would be told too: who is there, and how far people have read.
    package struct RoomEphemeral: Sendable {
        package var presences: [(user: UserID, presence: UserPresence)] = []
        /// The content of an `m.receipt` event, a JSON object.
        package var receipts: [UInt8]?
    }

    /// One room as it is, or as it was when the user left.
    ///
    /// - Throws: `M_FORBIDDEN` for a room that the user may not read.
    package func snapshot(of room: RoomID, for user: UserID, limit: Int) async throws -> (room: RoomInitialSync, ephemeral: RoomEphemeral) {
        let now = commits.position
        let view = try await history.view(of: room, for: user, ignoring: try await accountData.ignoredUsers(of: user))
        var snapshot = RoomInitialSync(room: room, membership: RoomInitialSync.membership(in: view))
        snapshot.content = try await content(of: view, limit: limit, now: now)
        snapshot.accountData = try await accountData.changes(for: user, after: nil, upTo: now).filter { $0.room == room }
        guard !view.isOfPast else { return (snapshot, RoomEphemeral()) }
        // Everyone's, as with Synapse: the answer lists all members anyway.
        let members = presence.isShown ? view.snapshot.earliest(.max) { $1 == .join } : []
        return (
            snapshot,
            RoomEphemeral(
                presences: try await presence.presences(of: members),
                receipts: try await receipts.receipts(in: [room], for: user, after: nil, upTo: now)[room])
        )
    }

    /// All rooms that the user is in or invited to; with `includesLeft` those that the user has left too.
    package func snapshot(for user: UserID, limit: Int, includesLeft: Bool) async throws -> UserInitialSync {
        let now = commits.position
        let ignored = try await accountData.ignoredUsers(of: user)
        let data = try await accountData.changes(for: user, after: nil, upTo: now)
        let byRoom = Dictionary(grouping: data.filter { $0.room != nil }, by: \.room)
        var answer = UserInitialSync(end: now)
        for row in try await membership.rooms(of: user) where !row.forgotten {
            guard let snapshot = try await snapshot(row, for: user, limit: limit, includesLeft, ignored, now: now) else { continue }
            answer.rooms.append(snapshot)
            answer.rooms[answer.rooms.count - 1].accountData = byRoom[row.room] ?? []
        }
        // Push rules have an endpoint of their own.
        answer.accountData = data.filter { $0.room == nil && $0.type != "m.push_rules" }
        answer.receipts = try await receipts.receipts(
            in: answer.rooms.filter { $0.membership == .join }.map(\.room), for: user, after: nil, upTo: now)
        if presence.isShown {
            let present = presence.present
            let others = try await presence.sharingRoom(with: user, among: present.filter { $0 != user })
            answer.presences = try await presence.presences(of: others + present.filter { $0 == user })
        }
        return answer
    }

    private func snapshot(
        _ row: MembershipRow, for user: UserID, limit: Int, _ includesLeft: Bool, _ ignored: Set<UserID>, now: StreamPosition
    ) async throws -> RoomInitialSync? {
        var snapshot = RoomInitialSync(room: row.room, membership: row.membership)
        snapshot.isPublic = try await history.isPublished(row.roomNID)
        switch row.membership {
        case .join: break
        case .leave where includesLeft: break
        case .invite:
            snapshot.invite = try await events.event(row.event)
            if let inviter = snapshot.invite?.sender, ignored.contains(inviter) { return nil }
            return snapshot
        case .leave, .ban, .knock: return nil
        }
        do {
            snapshot.content = try await content(
                of: history.view(of: row.room, for: user, ignoring: ignored), limit: limit, now: now)
        } catch let error as MatrixError where error.status == 403 {
            // An invite that was declined: there is nothing of the room to show.
            return nil
        }
        return snapshot
    }

    private func content(of view: RoomView, limit: Int, now: StreamPosition) async throws -> RoomInitialSync.Content {
        let last = view.departure ?? view.end
        let page = try await history.page(of: view, .backwards, from: last, to: nil, limit: limit, filter: .everything)
        return RoomInitialSync.Content(
            messages: page.events.reversed(), start: page.next ?? last, end: view.departure ?? now, state: try await history.state(of: view)
        )
    }
}

extension RoomInitialSync {
    fileprivate static func membership(in view: RoomView) -> Membership? {
        switch view.standing {
        case .member: .join
        case .departed(let departure): departure.membership ?? .leave
        case .visitor: nil
        }
    }
}
