// The part of the room state that the authorization rules look at. Rooms §Authorisation rules.

/// A room state as the authorization rules ask for it.
///
/// The rules ask a handful of questions per event. What they need parsed (power levels, join rules, the create event) comes
/// parsed from here, so that an implementation which keeps it makes each check independent of the room's size.
package protocol AuthorizationState {
    var create: Event? { get }
    /// Whether users of other servers than the creator's may take part (`m.federate`).
    var federates: Bool { get }
    /// The levels in force, with the defaults where there is no event.
    var powerLevels: PowerLevels { get }
    /// The rule in force, ``JoinRules/inviteOnly`` where there is no event.
    var joinRule: JoinRules { get }
    /// `nil` when the user has no membership event.
    func membership(of user: UserID) -> Membership?
    func thirdPartyInvite(token: ByteString) -> Event?
}

extension AuthorizationState {
    package var federates: Bool { create.map { CreateEvent($0).federates } ?? false }
}

/// The state that a set of events makes up: an event's auth events, or a state map under resolution.
package struct AuthEventState: AuthorizationState {
    package let create: Event?
    package let federates: Bool
    package let powerLevels: PowerLevels
    package let joinRule: JoinRules
    private let memberships: [ByteString: Membership]
    private let thirdPartyInvites: [ByteString: Event]

    /// - Parameter events: state events with different keys. In room versions whose auth events leave the create event out, it
    ///   must be among them nevertheless.
    package init(events: some Sequence<Event>, version: RoomVersion) {
        var single: [ByteString: Event] = [:]
        var memberships: [ByteString: Membership] = [:]
        var thirdPartyInvites: [ByteString: Event] = [:]
        for event in events {
            guard let stateKey = event.stateKey else { continue }
            switch event.type {
            case "m.room.member": memberships[stateKey] = event.membership
            case "m.room.third_party_invite": thirdPartyInvites[stateKey] = event
            case "m.room.create", "m.room.power_levels", "m.room.join_rules":
                if stateKey == "" { single[event.type] = event }
            default: break
            }
        }
        let creation = single["m.room.create"].map { CreateEvent($0) }
        create = single["m.room.create"]
        federates = creation?.federates ?? false
        powerLevels = PowerLevels(
            content: single["m.room.power_levels"]?.content(), creators: creation?.creators ?? [], version: version)
        joinRule = JoinRules(content: single["m.room.join_rules"]?.content())
        self.memberships = memberships
        self.thirdPartyInvites = thirdPartyInvites
    }

    package func membership(of user: UserID) -> Membership? { memberships[user.text] }

    package func thirdPartyInvite(token: ByteString) -> Event? { thirdPartyInvites[token] }
}
