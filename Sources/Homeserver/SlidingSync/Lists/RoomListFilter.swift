// Which rooms are in a list. MSC4186, `filters`.

import MatrixCore
import Persistence

/// Conditions on rooms, all of which have to hold; nil lets everything through.
package struct RoomListFilter: Sendable, Hashable {
    package var isDirect: Bool?
    package var isEncrypted: Bool?
    package var isInvite: Bool?
    /// nil in the set stands for rooms without a type.
    package var roomTypes: Set<ByteString?>?
    package var notRoomTypes: Set<ByteString?>?
    /// Rooms that are children of one of these spaces, as far as the user is in the space.
    package var spaces: Set<RoomID>?
    package var tags: Set<ByteString>?
    package var notTags: Set<ByteString>?

    package init() {}

    /// Whether it goes by what a room is.
    package var asksForTraits: Bool { isEncrypted != nil || roomTypes != nil || notRoomTypes != nil }
    package var asksForTags: Bool { tags != nil || notTags != nil }

    /// - Parameters:
    ///   - traits: nil where the room is not known; it passes only a filter that does not ask for them.
    ///   - parents: the spaces that the room is in, of those that lists ask for.
    package func passes(
        _ membership: Membership, _ traits: RoomTraits?, isDirect: Bool, tags roomTags: Set<ByteString>, parents: Set<RoomID> = []
    ) -> Bool {
        if let wanted = self.isDirect, wanted != isDirect { return false }
        if let isInvite, isInvite != (membership == .invite) { return false }
        if asksForTraits {
            guard let traits else { return false }
            if let isEncrypted, isEncrypted != traits.isEncrypted { return false }
            if let roomTypes, !roomTypes.contains(traits.type) { return false }
            if let notRoomTypes, notRoomTypes.contains(traits.type) { return false }
        }
        if let spaces, spaces.isDisjoint(with: parents) { return false }
        if let tags, tags.isDisjoint(with: roomTags) { return false }
        if let notTags, !notTags.isDisjoint(with: roomTags) { return false }
        return true
    }
}

/// What a room is, as far as lists go by it.
package struct RoomTraits: Sendable, Hashable {
    package var isEncrypted = false
    /// The `type` of its create event.
    package var type: ByteString?

    package init(isEncrypted: Bool = false, type: ByteString? = nil) {
        self.isEncrypted = isEncrypted
        self.type = type
    }
}
