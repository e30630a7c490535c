// The filter of `/sync`. Client-Server API §Filtering, POST /user/{userId}/filter.

/// A whole filter, as clients upload it or pass it to `/sync`.
package struct Filter: Sendable, Hashable {
    package var eventFields: EventFields?
    package var eventFormat = EventFormat.client
    package var presence = EventFilter()
    /// For account data outside of rooms.
    package var accountData = EventFilter()
    package var room = RoomFilter()

    package enum EventFormat: String, Sendable {
        case client
        case federation
    }

    /// The filter that lets everything through.
    package static let everything = Filter()

    private init() {}

    /// - Throws: `M_BAD_JSON` for a property of the wrong type or a malformed identifier. Unknown properties are ignored.
    package init(json: JSON) throws(MatrixError) {
        let properties = try FilterProperties(json, path: "filter")
        eventFields = try properties.strings("event_fields").map { EventFields(paths: $0) }
        if let name = try properties.string("event_format") {
            guard let format = EventFormat(rawValue: name) else {
                throw .badJSON("event_format must be client or federation")
            }
            eventFormat = format
        }
        if let json = try properties.object("presence") { presence = try EventFilter(json: json) }
        if let json = try properties.object("account_data") { accountData = try EventFilter(json: json) }
        if let json = try properties.object("room") { room = try RoomFilter(json: json) }
    }
}

/// The part of a filter that is about rooms.
package struct RoomFilter: Sendable, Hashable {
    /// Which rooms appear at all; applied before the filters of their parts.
    package var rooms = RoomSelection()
    package var includeLeave = false
    package var ephemeral = RoomEventFilter()
    package var state = RoomEventFilter()
    package var timeline = RoomEventFilter()
    package var accountData = RoomEventFilter()

    package init() {}

    package init(json: JSON) throws(MatrixError) {
        let properties = try FilterProperties(json, path: "room")
        rooms = try RoomSelection(properties)
        includeLeave = try properties.bool("include_leave") ?? false
        if let json = try properties.object("ephemeral") { ephemeral = try RoomEventFilter(json: json) }
        if let json = try properties.object("state") { state = try RoomEventFilter(json: json) }
        if let json = try properties.object("timeline") { timeline = try RoomEventFilter(json: json) }
        if let json = try properties.object("account_data") { accountData = try RoomEventFilter(json: json) }
    }
}
