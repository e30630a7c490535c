// Rule 1: the create event. Rooms §Authorisation rules, rule 1 of every version.

extension EventAuthorization {
    func checkCreate() throws(AuthRejection) {
        // 1.1 If it has any prev_events, reject.
        guard event.prevEvents.isEmpty else {
            throw reject("1.1", "a create event has no previous events")
        }
        // 1.2 Version 12: if the event has a room_id, reject. Before: if the domain of the room_id does not match the domain
        // of the sender, reject.
        if version.createEventDecidesRoomID {
            guard !statesRoomID else {
                throw reject("1.2", "a create event of room version \(version) has no room_id")
            }
        } else {
            guard event.roomID.server == event.sender.server else {
                throw reject("1.2", "the room id \(event.roomID) does not belong to the server of \(event.sender)")
            }
        }
        let content = event.content()
        // 1.3 If content.room_version is present and is not a recognised version, reject.
        if let named = content["room_version"] {
            guard let id = named.string, RoomVersion.named(id) != nil else {
                throw reject("1.3", "the room version is not known")
            }
        }
        // 1.4 Before version 11: if content has no creator property, reject.
        if !version.creatorFromSender {
            guard content["creator"] != nil else {
                throw reject("1.4", "the create event names no creator")
            }
        }
        // 1.4 Version 12: if additional_creators is present and is not an array of user ids, reject.
        if version.creatorsHaveInfinitePower, let additional = content["additional_creators"] {
            guard additional.kind == .array, additional.elements.allSatisfy({ $0.string.flatMap { UserID(valid: $0) } != nil }) else {
                throw reject("1.4", "additional_creators is not a list of user ids")
            }
        }
        // 1.5 Otherwise, allow.
    }

    /// Whether the PDU spells out a room id. ``Event/roomID`` is no help: it is derived where it is not spelt out.
    private var statesRoomID: Bool {
        do {
            return try event.document()["room_id"] != nil
        } catch {
            // An `Event` holds JSON that was parsed before; whatever this is, it is no create event to accept.
            return true
        }
    }
}
