// What the create event decides for the whole life of a room. Client-Server API §m.room.create.

/// An `m.room.create` event, read.
package struct CreateEvent: Sendable, Hashable {
    /// The room's creators. The first is the one creator that earlier room versions know; room version 12 appends
    /// `additional_creators`. Empty only in a room before version 11 whose `creator` is no user id.
    package let creators: [UserID]
    /// `m.federate`: users of other servers may take part.
    package let federates: Bool
    /// `type`, for example `m.space`.
    package let roomType: ByteString?
    /// The room that this one replaces.
    package let predecessor: RoomID?

    package init(_ event: Event) {
        self.init(sender: event.sender, content: event.content(), version: event.version)
    }

    package init(sender: UserID, content: JSON, version: RoomVersion) {
        var creators: [UserID] = []
        if version.creatorFromSender {
            creators.append(sender)
        } else if let text = content["creator"]?.string, let creator = UserID(valid: text) {
            creators.append(creator)
        }
        if version.creatorsHaveInfinitePower, let additional = content["additional_creators"] {
            var seen = Set(creators)
            for element in additional.elements {
                guard let text = element.string, let creator = UserID(valid: text), seen.insert(creator).inserted else { continue }
                creators.append(creator)
            }
        }
        self.creators = creators
        // Anything but `true` closes the room, as a value of another type is no permission.
        federates = content["m.federate"].map { $0.bool == true } ?? true
        roomType = content["type"]?.byteString
        predecessor = content["predecessor"]?["room_id"]?.string.flatMap { RoomID(valid: $0) }
    }
}
