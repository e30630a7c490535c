// Why an event was refused. Rooms §Authorisation rules.

/// The rule that refused an event.
package struct AuthRejection: Error, Sendable, Hashable, CustomStringConvertible {
    /// The rule's number in the text of the event's room version, for example "5.3.1".
    package let rule: String
    /// What is wrong, for the error message and the log.
    package let reason: String
    /// Whether the content is of a form that no sender could make right: to a client that is `M_BAD_JSON`, not `M_FORBIDDEN`.
    package let isMalformed: Bool

    package init(rule: String, reason: String, isMalformed: Bool = false) {
        self.rule = rule
        self.reason = reason
        self.isMalformed = isMalformed
    }

    /// A rejection by a rule which is named as room version 12 numbers it.
    init(v12 number: String, version: RoomVersion, reason: String, isMalformed: Bool = false) {
        self.init(rule: version.ruleNumbering.number(number), reason: reason, isMalformed: isMalformed)
    }

    package var description: String { "\(reason) (rule \(rule))" }
}
