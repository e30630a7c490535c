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

    /// A local event: it follows all forward extremities, and is the only one then.
    mutating func follow(_ event: Event) {
        forwardExtremities = [event.id]
        depth = event.depth
    }

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
    /// Puts an entry into the state, and keeps the counts and the earliest members right.
    mutating func set(_ entry: StateEntry, for key: StateKey) {
        let previous = state.updateValue(entry, forKey: key)
        guard key.type == "m.room.member" else { return }
        count(previous?.membership, -1)
        count(entry.membership, 1)
        let user = UserID(trusted: key.stateKey.string)
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

    /// How many are kept: more than the heroes and the viewer, so that refills are rare.
    static let earliestLimit = 16

    private mutating func count(_ membership: Membership?, _ difference: Int) {
        switch membership {
        case .join: joinedCount += difference
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
        default: break
        }
    }

    /// The event types that `interpret` looks at.
    static let interpretedTypes: Set<ByteString> = [
        "m.room.third_party_invite", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access",
    ]
}

extension Membership? {
    /// Joined or invited.
    var isPresent: Bool { self == .join || self == .invite }
}
