// Which events of the state an event names as its auth events. Server-Server API §Auth events selection.

/// The keys of the state entries that belong into the `auth_events` of an event, as far as the state has them.
///
/// The create event itself has none. From room version 12 on, the create event is not selected either: the room's id names it.
package func authEventKeys(
    type: ByteString, sender: UserID, stateKey: ByteString?, content: @autoclosure () -> JSON, version: RoomVersion
) -> [StateKey] {
    if type == "m.room.create" { return [] }
    var keys: [StateKey] = version.createEventDecidesRoomID ? [.powerLevels] : [.create, .powerLevels]
    keys.append(.member(sender))
    guard type == "m.room.member" else { return keys }

    func append(_ key: StateKey) {
        if !keys.contains(key) { keys.append(key) }
    }
    let content = content()
    let membership = content["membership"]?.string.flatMap(Membership.init(rawValue:))
    if let stateKey { append(StateKey(type: "m.room.member", stateKey: stateKey)) }
    if membership == .join || membership == .invite || membership == .knock {
        append(.joinRules)
    }
    if membership == .invite, let token = content["third_party_invite"]?["signed"]?["token"]?.byteString {
        append(.thirdPartyInvite(token: token))
    }
    if membership == .join, version.restrictedJoins, let user = content["join_authorised_via_users_server"]?.byteString {
        append(StateKey(type: "m.room.member", stateKey: user))
    }
    return keys
}

/// The keys of the state entries that belong into the `auth_events` of `event`.
package func authEventKeys(for event: Event) -> [StateKey] {
    authEventKeys(
        type: event.type, sender: event.sender, stateKey: event.stateKey, content: event.content(), version: event.version)
}

/// The keys of the state entries that belong into the `auth_events` of the event that `draft` becomes.
///
/// - Throws: when the draft's content is not JSON.
package func authEventKeys(for draft: EventDraft, version: RoomVersion) throws(JSONError) -> [StateKey] {
    // Only memberships look into the content; the rest need not be parsed for this.
    let content = draft.type == "m.room.member" ? try JSONDocument(parsing: draft.content).root : JSON.emptyObject
    return authEventKeys(
        type: draft.type, sender: draft.sender, stateKey: draft.stateKey, content: content, version: version)
}
