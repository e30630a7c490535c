// The authorization rules: whether an event is allowed by a state of its room. Rooms §Authorisation rules of each version.
//
// The rules stand here in the order of room version 12's text and carry its numbers; `AuthRejection` translates them into
// those of the room's version. Rules that look at the event's `auth_events` (3) are in AuthEventsCheck.swift, create events
// (1) in CreateRules.swift, memberships (5) in MembershipRules.swift, power levels (10) in PowerLevelsRules.swift, and those
// that version 12 no longer has in LegacyRules.swift.

/// Decides whether `event` is allowed by `state`, by the rules of its room version that depend on the state.
///
/// The rules on the event's own `auth_events` are ``checkAuthEvents(of:are:isRejected:)``'s, signatures are the caller's
/// (``requiredSigners(of:)``).
///
/// - Throws: `AuthRejection` naming the rule that refused.
package func authorize(_ event: Event, against state: some AuthorizationState, version: RoomVersion) throws(AuthRejection) {
    try EventAuthorization(event: event, state: state, version: version).check()
}

/// One event and the state it is checked against.
struct EventAuthorization<State: AuthorizationState> {
    let event: Event
    let state: State
    let version: RoomVersion

    func check() throws(AuthRejection) {
        // 1. If type is m.room.create: rules of its own, and none of the others.
        if event.type == "m.room.create" {
            return try checkCreate()
        }
        // 2. The room's id names its create event. (Before version 12: the state has a create event, 2.4.)
        let create = try createEvent()

        // 4. Without m.federate only users of the creator's server take part.
        if !event.sender.belongs(to: create.sender.server), !state.federates {
            throw reject("4", "\(event.sender.server) cannot take part in a room that is not federated")
        }
        // 4 of room versions 1 to 5. If type is m.room.aliases: rules of its own.
        if version.authorizesAliases, event.type == "m.room.aliases" {
            return try checkAliases()
        }
        // 5. If type is m.room.member: rules of its own.
        if event.type == "m.room.member" {
            return try checkMembership(create: create)
        }
        // 6. If the sender's current membership state is not join, reject.
        guard state.membership(of: event.sender) == .join else {
            throw reject("6", "\(event.sender) is not in the room")
        }
        let levels = state.powerLevels
        let senderLevel = levels.level(of: event.sender)

        // 7.1 If type is m.room.third_party_invite: allow if and only if the sender may invite.
        if event.type == "m.room.third_party_invite" {
            guard senderLevel >= levels.invite else {
                throw reject("7.1", "inviting needs a power level of \(levels.invite), \(event.sender) has \(senderLevel)")
            }
            return
        }
        // 8. If the event type's required power level is greater than the sender's power level, reject.
        let required = levels.required(toSend: event.type, isState: event.isState)
        guard senderLevel >= required else {
            throw reject("8", "sending \(event.type) needs a power level of \(required), \(event.sender) has \(senderLevel)")
        }
        // 9. If the event has a state_key that starts with an @ and does not match the sender, reject.
        if let stateKey = event.stateKey, stateKey.string.utf8.first == UInt8(ascii: "@"), stateKey != event.sender.text {
            throw reject("9", "\(event.sender) cannot set the state of \(stateKey)")
        }
        // 10. If type is m.room.power_levels: rules of its own.
        if event.type == "m.room.power_levels" {
            try checkPowerLevels(senderLevel: senderLevel, create: create)
        }
        // 11 of room versions 1 and 2. If type is m.room.redaction: rules of its own.
        if version.authorizesRedactions, event.type == "m.room.redaction" {
            try checkRedaction(senderLevel: senderLevel)
        }
        // 11. Otherwise, allow.
    }

    /// Rule 2, and what it replaces in earlier room versions: rule 2.4, by which every event has the create event among its
    /// auth events.
    private func createEvent() throws(AuthRejection) -> Event {
        guard let create = state.create else {
            throw reject(version.createEventDecidesRoomID ? "2" : "3.4", "the room has no create event")
        }
        // From version 12 on a create event's `roomID` is its own id with the sigil `!`, so this is rule 2 there.
        guard event.roomID == create.roomID else {
            throw reject(
                version.createEventDecidesRoomID ? "2" : "3.5", "the create event \(create.id) is not that of \(event.roomID)")
        }
        return create
    }

    /// A rejection by the rule `number`, named as room version 12 numbers it.
    func reject(_ number: String, _ reason: String) -> AuthRejection {
        AuthRejection(v12: number, version: version, reason: reason)
    }

    func rejectMalformed(_ number: String, _ reason: String) -> AuthRejection {
        AuthRejection(v12: number, version: version, reason: reason, isMalformed: true)
    }
}
