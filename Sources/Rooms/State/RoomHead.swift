// The end of a room's event graph: the state after it, and what the next event is attached to.

import MatrixCore
import Persistence

/// What a room keeps in memory to build its next event. A value: a batch works on a copy, which takes the place of the
/// original when the batch is durable.
struct RoomHead: Sendable {
    var snapshot: RoomSnapshot
    var layering: SnapshotLayering
    var forwardExtremities: [EventID]
    /// The greatest depth among the forward extremities.
    var depth: Int64

    /// A room before its create event.
    init(roomID: RoomID, nid: RoomNID, version: RoomVersion, create: Event) {
        snapshot = RoomSnapshot(roomID: roomID, nid: nid, version: version, create: create)
        layering = SnapshotLayering()
        forwardExtremities = []
        depth = 0
    }

    var cost: Int { snapshot.cost + layering.cost }

    /// The forward extremities that a new event of this server follows: as many as an event may name, the newest where there are more.
    var prevEvents: [EventID] { Array(forwardExtremities.suffix(Event.prevEventsLimit)) }

    /// An event is the newest of the room: what it follows is followed no more.
    mutating func follow(_ event: Event) {
        forwardExtremities = RoomHead.extremities(forwardExtremities, after: event)
        depth = max(depth, event.depth)
        if forwardExtremities.count == 1 { depth = event.depth }
    }

    /// The forward extremities when `event` has joined them.
    static func extremities(_ old: [EventID], after event: Event) -> [EventID] {
        guard old != event.prevEvents else { return [event.id] }
        let followed = Set(event.prevEvents)
        return old.filter { !followed.contains($0) && $0 != event.id } + [event.id]
    }

    /// What the state has of the auth events that are selected for `event`.
    func authEntries(for event: Event) -> [StateEntry] { authEventKeys(for: event).compactMap { snapshot.entry($0) } }

    /// Makes a state event the holder of its key, as the state `snapshotID`.
    /// - Returns: the row to store for that state.
    mutating func apply(_ event: Event, as entry: StateEntry, key: StateKey, snapshotID: SnapshotID) throws(StateDeltaError)
        -> StateLayerRow
    {
        let row = try layering.push(StateDelta([.init(key: entry.key, event: entry.nid)]), as: snapshotID)
        snapshot.set(entry, for: key)
        snapshot.interpret(event)
        snapshot.snapshotID = snapshotID
        return row
    }
}

extension RoomSnapshot {
    /// Takes an entry out of the state: only a resolution of forks does.
    mutating func remove(_ key: StateKey) {
        guard let previous = state.removeValue(forKey: key) else { return }
        forget(key)
        guard key.type == "m.room.member" else { return }
        let user = UserID(trusted: key.stateKey.string)
        count(previous.membership, -1, of: user)
        earliestMembers.removeAll { $0 == user }
        if earliestMembers.count <= RoomSnapshot.heroLimit, earliestMembers.count < joinedCount + invitedCount {
            earliestMembers = earliest(RoomSnapshot.earliestLimit) { _, membership in Optional(membership).isPresent }
        }
    }

    /// Puts an entry into the state, and keeps the counts and the earliest members right.
    mutating func set(_ entry: StateEntry, for key: StateKey) {
        let previous = state.updateValue(entry, forKey: key)
        guard key.type == "m.room.member" else { return }
        let user = UserID(trusted: key.stateKey.string)
        count(previous?.membership, -1, of: user)
        count(entry.membership, 1, of: user)
        let others = joinedCount + invitedCount - (entry.membership.isPresent ? 1 : 0)
        if previous?.membership.isPresent == true, let index = earliestMembers.firstIndex(of: user) {
            earliestMembers.remove(at: index)
        }
        if entry.membership.isPresent, earliestMembers.count == others, others < RoomSnapshot.earliestLimit {
            earliestMembers.append(user)
        }
        // A refill walks over the whole room, but only after as many have gone as it has put in.
        if earliestMembers.count <= RoomSnapshot.heroLimit, earliestMembers.count < joinedCount + invitedCount {
            earliestMembers = earliest(RoomSnapshot.earliestLimit) { _, membership in Optional(membership).isPresent }
        }
    }

    /// Takes over what forks were resolved to for one entry.
    mutating func apply(_ change: ResolvedEntry) {
        guard let holder = change.holder else { return remove(change.key) }
        set(
            StateEntry(
                nid: holder.nid, id: holder.event.id, membership: holder.event.membership, position: holder.position,
                key: change.keyNumber), for: change.key)
        interpret(holder.event)
    }

    /// How many are kept: more than the heroes and the viewer, so that refills are rare.
    static let earliestLimit = 16

    mutating func count(_ membership: Membership?, _ difference: Int, of user: UserID) {
        switch membership {
        case .join:
            joinedCount += difference
            let server = user.server
            let members = (servers[server] ?? 0) + difference
            servers[server] = members > 0 ? members : nil
        case .invite: invitedCount += difference
        default: break
        }
    }

    /// Takes over what the server itself goes by, from an event that is in the state. Also after its redaction.
    mutating func interpret(_ event: Event) {
        guard let stateKey = event.stateKey else { return }
        switch event.type {
        case "m.room.third_party_invite":
            thirdPartyInvites[stateKey] = event
        case "m.room.power_levels" where stateKey == "":
            powerLevels = PowerLevels(content: event.content(), creators: creators, version: version)
        case "m.room.join_rules" where stateKey == "":
            joinRule = JoinRules(content: event.content())
        case "m.room.history_visibility" where stateKey == "":
            historyVisibility = HistoryVisibility(content: event.content())
        case "m.room.guest_access" where stateKey == "":
            guestAccess = GuestAccess(content: event.content())
        case "m.room.server_acl" where stateKey == "":
            serverACL = ServerACL(content: event.content())
        case "m.room.policy" where stateKey == "":
            policyServer = PolicyServer(content: event.content())
        default: break
        }
    }

    /// The opposite: the entry is gone.
    private mutating func forget(_ key: StateKey) {
        switch key {
        case .powerLevels: powerLevels = PowerLevels(content: nil, creators: creators, version: version)
        case .joinRules: joinRule = .inviteOnly
        case .historyVisibility: historyVisibility = .shared
        case .guestAccess: guestAccess = .forbidden
        case .serverACL: serverACL = nil
        case .policy: policyServer = nil
        default:
            if key.type == "m.room.third_party_invite" { thirdPartyInvites[key.stateKey] = nil }
        }
    }

    /// The event types that `interpret` looks at.
    static let interpretedTypes: Set<ByteString> = [
        "m.room.third_party_invite", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access",
        "m.room.server_acl", "m.room.policy",
    ]
}

extension Membership? {
    /// Joined or invited.
    var isPresent: Bool { self == .join || self == .invite }
}
