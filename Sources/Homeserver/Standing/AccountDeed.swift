// What people do that not every account may do at every time. Client-Server API §Account suspension.

/// A deed, as far as it matters for the standing of the account that does it.
package enum AccountDeed: Sendable, Hashable {
    case sync
    case createRoom
    /// Any event but the following.
    case send
    case redact(own: Bool)
    case join, knock, invite, leave
    /// Kicks, bans and what takes them back.
    case moderate
    case changeProfile
    /// Names and lists a room for everybody.
    case publish

    /// Whether a suspended user may do it, by the specification's recommendation: reading, tidying up and leaving are allowed.
    package var isAllowedWhileSuspended: Bool {
        switch self {
        case .sync, .leave, .redact(own: true): true
        case .createRoom, .send, .redact(own: false), .join, .knock, .invite, .moderate, .changeProfile, .publish: false
        }
    }

    /// Whether it needs agreement to the terms, where the operator insists on that: all that makes events, except for leaving.
    package var needsConsent: Bool {
        switch self {
        case .sync, .leave, .changeProfile, .publish: false
        case .createRoom, .send, .redact, .join, .knock, .invite, .moderate: true
        }
    }
}
