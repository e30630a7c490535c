// Rule 5: memberships. Rooms v12 §Authorisation rules, rule 5 (rule 4 before version 12).

extension EventAuthorization {
    func checkMembership(create: Event) throws(AuthRejection) {
        let content = event.content()
        // 5.1 If there is no state_key property, or no membership property in content, reject.
        guard let stateKey = event.stateKey, let membership = content["membership"] else {
            throw reject("5.1", "a membership event needs a state key and a membership")
        }
        // A state key that is no user id names nobody who could have a membership.
        guard let target = UserID(valid: stateKey.string) else {
            throw reject("5.1", "\(stateKey) is not a user id")
        }
        // 4 The text names the sender only. Other servers hold the target to it too: a user who could never join is no member.
        if !target.belongs(to: create.sender.server), !state.federates {
            throw reject("4", "\(target) cannot be in a room that is not federated")
        }
        // 5.2 The signature of join_authorised_via_users_server's server: `requiredSigners(of:)`.
        let change = MembershipChange(authorization: self, create: create, content: content, target: target)
        switch membership.string.flatMap(Membership.init(rawValue:)) {
        case .join: try change.checkJoin()
        case .invite: try change.checkInvite()
        case .leave: try change.checkLeave()
        case .ban: try change.checkBan()
        case .knock where version.knocking: try change.checkKnock()
        // 5.8 Otherwise, the membership is unknown. Reject.
        case .knock, nil: throw reject("5.8", "the membership is unknown")
        }
    }
}

/// A membership event, with what all of rule 5 asks about it.
struct MembershipChange<State: AuthorizationState> {
    let authorization: EventAuthorization<State>
    let create: Event
    let content: JSON
    /// The user whose membership changes: the event's state key.
    let target: UserID

    var event: Event { authorization.event }
    var state: State { authorization.state }
    var version: RoomVersion { authorization.version }
    var sender: UserID { event.sender }
    var senderMembership: Membership? { state.membership(of: sender) }
    var targetMembership: Membership? { state.membership(of: target) }
    var senderLevel: PowerLevel { state.powerLevels.level(of: sender) }
    var targetLevel: PowerLevel { state.powerLevels.level(of: target) }

    func reject(_ number: String, _ reason: String) -> AuthRejection { authorization.reject(number, reason) }

    // MARK: 5.3 If membership is join

    func checkJoin() throws(AuthRejection) {
        // 5.3.1 If the only previous event is an m.room.create and the state_key is its creator, allow.
        if event.prevEvents == [create.id], target == CreateEvent(create).creators.first {
            return
        }
        // 5.3.2 If the sender does not match state_key, reject.
        guard sender == target else {
            throw reject("5.3.2", "\(sender) cannot make \(target) join")
        }
        // 5.3.3 If the sender is banned, reject.
        guard senderMembership != .ban else {
            throw reject("5.3.3", "\(sender) is banned from the room")
        }
        let isInvitedOrJoined = senderMembership == .invite || senderMembership == .join
        let joinRule = state.joinRule
        switch joinRule.rule {
        case _ where !joinRule.isKnown(in: version):
            // 5.3.7 Otherwise, reject.
            throw reject("5.3.7", "the room's join rule lets nobody join")
        case .invite, .knock:
            // 5.3.4 If the join_rule is invite or knock then allow if membership state is invite or join.
            guard isInvitedOrJoined else {
                throw reject("5.3.7", "\(sender) is not invited to the room")
            }
        case .restricted, .knockRestricted:
            // 5.3.5.1 If membership state is join or invite, allow.
            if isInvitedOrJoined { return }
            try checkAuthorisingUser()
        case .public:
            // 5.3.6 If the join_rule is public, allow.
            return
        case .private, .unknown:
            // 5.3.7 Otherwise, reject.
            throw reject("5.3.7", "the room's join rule lets nobody join")
        }
    }

    /// 5.3.5.2 If the `join_authorised_via_users_server` key in content is not a user with sufficient permission to invite
    /// other users or is not a joined member of the room, reject.
    private func checkAuthorisingUser() throws(AuthRejection) {
        guard let text = content["join_authorised_via_users_server"]?.string, let authoriser = UserID(valid: text) else {
            throw reject("5.3.5.2", "\(sender) is not invited, and nobody authorised the join")
        }
        guard state.membership(of: authoriser) == .join else {
            throw reject("5.3.5.2", "\(authoriser), who authorised the join, is not in the room")
        }
        guard state.powerLevels.level(of: authoriser) >= state.powerLevels.invite else {
            throw reject("5.3.5.2", "\(authoriser), who authorised the join, cannot invite")
        }
        // 5.3.5.3 Otherwise, allow.
    }

    // MARK: 5.4 If membership is invite

    func checkInvite() throws(AuthRejection) {
        // 5.4.1 If content has a third_party_invite property: rules of its own.
        if let invite = content["third_party_invite"] {
            return try checkThirdPartyInvite(invite)
        }
        // 5.4.2 If the sender's current membership state is not join, reject.
        guard senderMembership == .join else {
            throw reject("5.4.2", "\(sender) is not in the room")
        }
        // 5.4.3 If target user's current membership state is join or ban, reject.
        switch targetMembership {
        case .join: throw reject("5.4.3", "\(target) is already in the room")
        case .ban: throw reject("5.4.3", "\(target) is banned from the room")
        default: break
        }
        // 5.4.4 If the sender's power level is greater than or equal to the invite level, allow. 5.4.5 Otherwise, reject.
        let required = state.powerLevels.invite
        guard senderLevel >= required else {
            throw reject("5.4.5", "inviting needs a power level of \(required), \(sender) has \(senderLevel)")
        }
    }

    // MARK: 5.5 If membership is leave

    func checkLeave() throws(AuthRejection) {
        // 5.5.1 If the sender matches state_key, allow if and only if that user's current membership state is invite, join,
        // or knock.
        if sender == target {
            switch senderMembership {
            case .invite, .join: return
            case .knock where version.knocking: return
            default: throw reject("5.5.1", "\(sender) is not in the room")
            }
        }
        // 5.5.2 If the sender's current membership state is not join, reject.
        guard senderMembership == .join else {
            throw reject("5.5.2", "\(sender) is not in the room")
        }
        // 5.5.3 If the target user's current membership state is ban, and the sender's power level is less than the ban
        // level, reject.
        let senderLevel = senderLevel
        if targetMembership == .ban, senderLevel < state.powerLevels.ban {
            throw reject(
                "5.5.3", "unbanning needs a power level of \(state.powerLevels.ban), \(sender) has \(senderLevel)")
        }
        // 5.5.4 If the sender's power level is greater than or equal to the kick level, and the target user's power level is
        // less than the sender's power level, allow. 5.5.5 Otherwise, reject.
        guard senderLevel >= state.powerLevels.kick else {
            throw reject(
                "5.5.5", "kicking needs a power level of \(state.powerLevels.kick), \(sender) has \(senderLevel)")
        }
        guard targetLevel < senderLevel else {
            throw reject("5.5.5", "\(sender) cannot kick \(target), whose power level is as high as theirs")
        }
    }

    // MARK: 5.6 If membership is ban

    func checkBan() throws(AuthRejection) {
        // 5.6.1 If the sender's current membership state is not join, reject.
        guard senderMembership == .join else {
            throw reject("5.6.1", "\(sender) is not in the room")
        }
        // 5.6.2 If the sender's power level is greater than or equal to the ban level, and the target user's power level is
        // less than the sender's power level, allow. 5.6.3 Otherwise, reject.
        let senderLevel = senderLevel
        guard senderLevel >= state.powerLevels.ban else {
            throw reject(
                "5.6.3", "banning needs a power level of \(state.powerLevels.ban), \(sender) has \(senderLevel)")
        }
        guard targetLevel < senderLevel else {
            throw reject("5.6.3", "\(sender) cannot ban \(target), whose power level is as high as theirs")
        }
    }

    // MARK: 5.7 If membership is knock

    func checkKnock() throws(AuthRejection) {
        // 5.7.1 If the join_rule is anything other than knock or knock_restricted, reject.
        let joinRule = state.joinRule
        guard joinRule.rule == .knock || joinRule.rule == .knockRestricted, joinRule.isKnown(in: version) else {
            throw reject("5.7.1", "the room does not allow knocking")
        }
        // 5.7.2 If sender does not match state_key, reject.
        guard sender == target else {
            throw reject("5.7.2", "\(sender) cannot knock for \(target)")
        }
        // 5.7.3 If the sender's current membership is not ban, invite, or join, allow. 5.7.4 Otherwise, reject.
        switch senderMembership {
        case .ban: throw reject("5.7.4", "\(sender) is banned from the room")
        case .invite: throw reject("5.7.4", "\(sender) is already invited to the room")
        case .join: throw reject("5.7.4", "\(sender) is already in the room")
        case .leave, .knock, nil: return
        }
    }
}
