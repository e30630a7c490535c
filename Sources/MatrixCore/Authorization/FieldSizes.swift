// The lengths of an event's keys. Client-Server API §Size limits.

/// Refuses an event whose sender, room ID, state key, type or event ID is longer than 255 bytes.
///
/// From room version 11 on such an event is not even read. In older rooms there are some which servers took for short enough,
/// because they counted code points; those are read, and refused here, so that events which name them have something to name.
package func checkFieldSizes(of event: Event) throws(AuthRejection) {
    let field = Event.fieldOverByteLimit(
        type: event.type, stateKey: event.stateKey, sender: event.sender, roomID: event.roomID, id: event.id)
    guard let field else { return }
    throw AuthRejection(rule: "size", reason: "\(field) is longer than \(Event.fieldByteLimit) bytes", isMalformed: true)
}
