// Filters of events by type and sender, and of room events besides by room and content. Client-Server API §Filtering.

/// What a filter says about events that need not belong to a room (`EventFilter`).
package struct EventFilter: Sendable, Hashable {
    /// At most so many events; `nil` leaves it to the endpoint.
    package var limit: Int?
    /// Types to include; `nil` includes all.
    package var types: TypePatterns?
    package var notTypes = TypePatterns()
    /// Senders to include; `nil` includes all.
    package var senders: Set<UserID>?
    package var notSenders: Set<UserID> = []

    package init() {}

    package init(json: JSON) throws(MatrixError) {
        try self.init(FilterProperties(json, path: "filter"))
    }

    init(_ properties: FilterProperties) throws(MatrixError) {
        limit = try properties.limit("limit")
        types = try properties.strings("types").map { TypePatterns($0) }
        notTypes = TypePatterns(try properties.strings("not_types") ?? [])
        senders = try properties.identifiers("senders")
        notSenders = try properties.identifiers("not_senders") ?? []
    }

    /// The limit within what an endpoint allows.
    package func limit(default defaultLimit: Int, maximum: Int) -> Int {
        min(limit ?? defaultLimit, maximum)
    }

    /// Whether every type and sender passes, so that there is nothing to check event by event.
    package var passesEverything: Bool {
        types == nil && notTypes.isEmpty && senders == nil && notSenders.isEmpty
    }

    /// Whether no event can pass, so that there is nothing to fetch.
    package var passesNothing: Bool {
        types?.isEmpty == true || senders?.isEmpty == true || notTypes.matchesEverything
    }

    /// - Parameter sender: `nil` for what has no sender, such as account data; only a list of senders keeps it out.
    package func passes(type: ByteString, sender: UserID?) -> Bool {
        passes(type: type) && passes(sender: sender)
    }

    package func passes(type: ByteString) -> Bool {
        if notTypes.matches(type) { return false }
        return types?.matches(type) ?? true
    }

    package func passes(sender: UserID?) -> Bool {
        guard let sender else { return senders == nil }
        if !notSenders.isEmpty, notSenders.contains(sender) { return false }
        return senders?.contains(sender) ?? true
    }
}

/// What a filter says about the events of rooms (`RoomEventFilter`). Also the `filter` of `/messages` and `/context`.
package struct RoomEventFilter: Sendable, Hashable {
    package var events = EventFilter()
    package var rooms = RoomSelection()
    /// Whether only events with (`true`) or without (`false`) a `url` in their content pass.
    package var containsURL: Bool?
    package var lazyLoadMembers = false
    package var includeRedundantMembers = false
    package var unreadThreadNotifications = false
    /// Only events pass to which others relate by one of these types, or that others of these senders relate to; `nil` asks for none. Not of
    /// the specification, but clients use it to find threads. Whether an event passes, only the database knows: ``passes`` leaves it out.
    package var relatedByTypes: Set<ByteString>?
    package var relatedBySenders: Set<UserID>?

    /// The filter that lets everything through.
    package static let everything = RoomEventFilter()

    package init() {}

    /// - Throws: `M_BAD_JSON` for a property of the wrong type or a malformed identifier. Unknown properties are ignored.
    package init(json: JSON) throws(MatrixError) {
        let properties = try FilterProperties(json, path: "filter")
        events = try EventFilter(properties)
        rooms = try RoomSelection(properties)
        containsURL = try properties.bool("contains_url")
        lazyLoadMembers = try properties.bool("lazy_load_members") ?? false
        includeRedundantMembers = try properties.bool("include_redundant_members") ?? false
        unreadThreadNotifications = try properties.bool("unread_thread_notifications") ?? false
        relatedByTypes = try properties.strings("related_by_rel_types").map { Set($0.map { ByteString($0) }) }
        relatedBySenders = try properties.identifiers("related_by_senders")
    }

    /// Whether it matters what relates to an event.
    package var asksForRelations: Bool { relatedByTypes?.isEmpty == false || relatedBySenders?.isEmpty == false }

    /// Whether every event of every room passes.
    package var passesEverything: Bool {
        events.passesEverything && rooms.passesEverything && containsURL == nil && !asksForRelations
    }

    /// Whether no event can pass.
    package var passesNothing: Bool {
        events.passesNothing || rooms.passesNothing
    }

    package func limit(default defaultLimit: Int, maximum: Int) -> Int {
        events.limit(default: defaultLimit, maximum: maximum)
    }

    /// - Parameter content: the event's content, asked for only when the filter looks into it.
    package func passes(type: ByteString, sender: UserID?, room: RoomID, content: @autoclosure () -> JSON?) -> Bool {
        guard events.passes(type: type, sender: sender), rooms.passes(room) else { return false }
        guard let containsURL else { return true }
        return (content()?["url"]?.isString ?? false) == containsURL
    }
}

/// Rooms by inclusion and exclusion; exclusion wins.
package struct RoomSelection: Sendable, Hashable {
    /// Rooms to include; `nil` includes all.
    package var rooms: Set<RoomID>?
    package var notRooms: Set<RoomID> = []

    package init() {}

    init(_ properties: FilterProperties) throws(MatrixError) {
        rooms = try properties.identifiers("rooms")
        notRooms = try properties.identifiers("not_rooms") ?? []
    }

    package var passesEverything: Bool { rooms == nil && notRooms.isEmpty }

    package var passesNothing: Bool { rooms?.isEmpty == true }

    package func passes(_ room: RoomID) -> Bool {
        if !notRooms.isEmpty, notRooms.contains(room) { return false }
        return rooms?.contains(room) ?? true
    }
}
