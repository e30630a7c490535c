// Rule 3: the event's own auth events. Rooms v12 §Authorisation rules, rule 3 (rule 2 before version 12).

/// Decides whether `authEvents` may stand in `event`'s `auth_events`, and what else depends on the event alone.
///
/// - Parameters:
///   - authEvents: the events that `event.authEvents` names, all of them.
///   - isRejected: whether an event was itself rejected by the checks performed on receipt of a PDU.
package func checkAuthEvents(
    of event: Event, are authEvents: [Event], isRejected: (Event) -> Bool
) throws(AuthRejection) {
    try checkFieldSizes(of: event)
    // Create events are decided by rule 1 alone.
    if event.type == "m.room.create" { return }
    func reject(_ number: String, _ reason: String) -> AuthRejection {
        AuthRejection(v12: number, version: event.version, reason: reason)
    }

    let selected = authEventKeys(for: event)
    var seen: Set<StateKey> = []
    for authEvent in authEvents {
        guard let stateKey = authEvent.stateKey else {
            throw reject("3.2", "the auth event \(authEvent.id) is no state event")
        }
        let key = StateKey(type: authEvent.type, stateKey: stateKey)
        // 3.1 If there are duplicate entries for a given type and state_key pair, reject.
        guard seen.insert(key).inserted else {
            throw reject("3.1", "the auth events have two entries for \(key)")
        }
        // 3.2 If there are entries that the auth events selection algorithm does not select, reject.
        guard selected.contains(key) else {
            throw reject("3.2", "\(key) does not belong to the auth events of \(event.type)")
        }
        // 3.3 If there are entries which were themselves rejected, reject.
        guard !isRejected(authEvent) else {
            throw reject("3.3", "the auth event \(authEvent.id) was rejected")
        }
        // 3.5 If any auth event has a room_id which does not match that of the event being authorised, reject.
        guard authEvent.roomID == event.roomID else {
            throw reject("3.5", "the auth event \(authEvent.id) belongs to \(authEvent.roomID)")
        }
    }
    // 2.4 before version 12: if there is no m.room.create event among the entries, reject.
    guard event.version.createEventDecidesRoomID || seen.contains(.create) else {
        throw reject("3.4", "the auth events have no create event")
    }
}
