// Why an event was refused. Rooms §Authorisation rules.

/// The rule that refused an event.
package struct AuthRejection: Error, Sendable, Hashable, CustomStringConvertible {
    /// The rule's number in the text of the event's room version, for example "5.3.1".
    package let rule: String
    /// What is wrong, for the error message and the log.
    package let reason: String

    package init(rule: String, reason: String) {
        self.rule = rule
        self.reason = reason
    }

    /// A rejection by a rule which is named as room version 12 numbers it.
    init(v12 number: String, version: RoomVersion, reason: String) {
        self.init(rule: version.ruleNumbering.number(number), reason: reason)
    }

    package var description: String { "\(reason) (rule \(rule))" }
}
