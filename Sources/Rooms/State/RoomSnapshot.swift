// A room's state at one moment, as a value: what readers and the authorization rules look at.

import HashTreeCollections
import MatrixCore
import Persistence

/// The current state of a room as of `position`. Copying it costs nothing that grows with the room.
package struct RoomSnapshot: Sendable {
    package let roomID: RoomID
    package let nid: RoomNID
    package let version: RoomVersion
    package let createEvent: Event
    /// The users who made the room; room version 12 lets there be several.
    package let creators: [UserID]
    package let federates: Bool
    /// Of the last event that was applied.
    package internal(set) var position: StreamPosition = .zero
    /// The number under which this very state is stored.
    package internal(set) var snapshotID: SnapshotID = .empty
    package internal(set) var state: TreeDictionary<StateKey, StateEntry> = [:]
    package internal(set) var joinedCount = 0
    package internal(set) var invitedCount = 0
    /// Joined and invited members by the age of their member event, oldest first; as many as heroes may need, not all.
    package internal(set) var earliestMembers: [UserID] = []
    /// How many joined members each server has, this one too. A server that has none is not in the room.
    package internal(set) var servers: TreeDictionary<ServerName, Int> = [:]
    /// nil: all members are known.
    package internal(set) var partial: PartialState?
    package internal(set) var powerLevels: PowerLevels
    package internal(set) var joinRule: JoinRules = .inviteOnly
    package internal(set) var historyVisibility: HistoryVisibility = .shared
    package internal(set) var guestAccess: GuestAccess = .forbidden
    /// Which servers the room lets take part; nil: all.
    package internal(set) var serverACL: ServerACL?
    /// Whom the room has chosen to recommend its events; whether it uses that server, `RoomEnvironment.policyServer` says.
    package internal(set) var policyServer: PolicyServer?
    /// Third-party invites by token; nearly always empty.
    package internal(set) var thirdPartyInvites: [ByteString: Event] = [:]

    /// A room before its first event, which is `create`.
    init(roomID: RoomID, nid: RoomNID, version: RoomVersion, create: Event) {
        let creation = CreateEvent(create)
        self.roomID = roomID
        self.nid = nid
        self.version = version
        createEvent = create
        creators = creation.creators
        federates = creation.federates
        powerLevels = PowerLevels(content: nil, creators: creation.creators, version: version)
    }

    package func entry(_ key: StateKey) -> StateEntry? { state[key] }

    /// The members that name a room without a name: the first five joined or invited others, or, when there are none, those who
    /// left or were banned. Client-Server API §Calculating the display name for a room, `m.heroes`.
    package func heroes(for viewer: UserID) -> [UserID] {
        let present = earliestMembers.filter { $0 != viewer }
        guard present.isEmpty else { return Array(present.prefix(RoomSnapshot.heroLimit)) }
        return earliest(RoomSnapshot.heroLimit) { user, membership in
            user != viewer && (membership == .leave || membership == .ban)
        }
    }

    package static let heroLimit = 5

    /// The members that `isWanted`, oldest member event first, at most `limit`. Costs a walk over the whole state.
    package func earliest(_ limit: Int, where isWanted: (UserID, Membership) -> Bool) -> [UserID] {
        var found: [(user: UserID, nid: EventNID)] = []
        for (key, entry) in state {
            guard let membership = entry.membership else { continue }
            let user = UserID(trusted: key.stateKey.string)
            if isWanted(user, membership) { found.append((user, entry.nid)) }
        }
        found.sort { $0.nid < $1.nid }
        return found.prefix(limit).map(\.user)
    }

    /// About how many bytes the state holds in memory.
    package var cost: Int { 4096 + state.count * 320 }
}

extension RoomSnapshot: AuthorizationState {
    /// nil only before the create event itself is applied.
    package var create: Event? { state.isEmpty ? nil : createEvent }

    package func membership(of user: UserID) -> Membership? { state[.member(user)]?.membership }

    package func thirdPartyInvite(token: ByteString) -> Event? { thirdPartyInvites[token] }
}
