// A user's relation to a room. Client-Server API §Room membership.

/// The `membership` of an `m.room.member` event.
///
/// A user without such an event is not a case: where it matters, `nil` stands for it, and the rules treat it as `leave`.
package enum Membership: String, Sendable, Hashable, CaseIterable {
    case join
    case invite
    case leave
    case ban
    case knock
}
