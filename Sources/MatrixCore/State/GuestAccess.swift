// Whether guests may join. Client-Server API §m.room.guest_access.

/// The `guest_access` of `m.room.guest_access`.
package enum GuestAccess: String, Sendable, Hashable, CaseIterable {
    case canJoin = "can_join"
    case forbidden

    /// - Parameter content: the content of the event; `nil` when the room has none. Values not understood count as `forbidden`.
    package init(content: JSON?) {
        self = content?["guest_access"]?.string.flatMap(Self.init(rawValue:)) ?? .forbidden
    }
}
