// Whether a redaction takes effect. Rooms §Handling redactions.

extension PowerLevels {
    /// Whether `redaction` is applied to `event`, which it names and which is of the same room.
    ///
    /// From room version 3 on, the authorization rules let any redaction into the room that its sender may send; these two
    /// conditions decide whether servers act on it and show it to clients. Before, they decided it themselves (rule 11).
    package func applies(_ redaction: Event, to event: Event) -> Bool {
        redaction.version.authorizesRedactions || appliesRedaction(by: redaction.sender, ofEventBy: event.sender)
    }

    /// The same for a redaction by `redactor` of an event by `author`, in room version 3 and later.
    package func appliesRedaction(by redactor: UserID, ofEventBy author: UserID) -> Bool {
        // 1. The power level of the redaction event's sender is greater than or equal to the redact level.
        // 2. The domain of the redaction event's sender matches that of the original event's sender.
        level(of: redactor) >= redact || redactor.belongs(to: author.server)
    }

    /// Whether this server lets its user `redactor` redact an event by `author`: their own, or anybody's with the redact
    /// level. Client-Server API §Redactions. Narrower than what it accepts from other servers, which vouch for their users.
    package func allowsRedaction(by redactor: UserID, ofEventBy author: UserID) -> Bool {
        redactor == author || level(of: redactor) >= redact
    }
}
