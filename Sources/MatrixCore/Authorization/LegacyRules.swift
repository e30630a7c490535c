// The rules that later room versions dropped. Rooms v1 §Authorisation rules, rules 4 and 11.

extension EventAuthorization {
    /// Rule 4 of room versions 1 to 5: `m.room.aliases` belongs to the servers, not to the members.
    func checkAliases() throws(AuthRejection) {
        // 4.1 If event has no state_key, reject.
        guard let stateKey = event.stateKey else {
            throw reject("aliases.1", "the aliases are of no server")
        }
        // 4.2 If sender's domain doesn't match state_key, reject.
        guard stateKey == event.sender.server.text else {
            throw reject("aliases.2", "\(event.sender) cannot set the aliases of \(stateKey)")
        }
        // 4.3 Otherwise, allow.
    }

    /// Rule 11 of room versions 1 and 2: who may redact what.
    func checkRedaction(senderLevel: PowerLevel) throws(AuthRejection) {
        // 11.1 If the sender's power level is greater than or equal to the redact level, allow.
        if senderLevel >= state.powerLevels.redact { return }
        // 11.2 If the domain of the event_id of the event being redacted is the same as the domain of the event_id of the
        // m.room.redaction, allow.
        if let server = event.id.server, server == event.redacts?.server { return }
        // 11.3 Otherwise, reject.
        throw reject(
            "redaction.3", "redacting needs a power level of \(state.powerLevels.redact), \(event.sender) has \(senderLevel)")
    }
}
