// Reading a request's body. MSC4186; limits and refusals as Synapse has them, and a bound where it has none.

import MatrixCore
import Persistence

extension SlidingSyncRequest {
    private enum Limit {
        static let lists = 100
        static let listKeyLength = 64
        static let connectionLength = 255
        static let subscriptions = 1000
        static let ranges = 100
        static let required = 1000
        static let timeline: Int64 = 1000
        static let filterEntries = 1000
        static let spaces = 100
        static let toDevice: Int64 = 100
        static let threadSubscriptions: Int64 = 1000
    }

    /// - Throws: `M_BAD_JSON` for members of the wrong type or beyond a limit, `M_MISSING_PARAM`.
    package mutating func read(_ body: JSON, _ table: RequiredStateTable) throws(MatrixError) {
        if let name = try body.member("conn_id", string: "conn_id") {
            guard name.count <= Limit.connectionLength, !name.string.utf8.contains(0) else { throw .badJSON("conn_id is too long") }
            connection = name
        }
        if let json = try body.member("lists", object: "lists") {
            guard json.count <= Limit.lists else { throw .badJSON("lists: at most \(Limit.lists), but there are \(json.count)") }
            var found: [ByteString: SlidingList] = [:]
            for (key, list) in json.members {
                guard key.count <= Limit.listKeyLength else { throw .badJSON("lists: a key is too long") }
                found[key] = try SlidingSyncRequest.list(key, list, table)
            }
            lists = found.values.sorted { $0.key < $1.key }
        }
        if let json = try body.member("room_subscriptions", object: "room_subscriptions") {
            guard json.count <= Limit.subscriptions else { throw .badJSON("room_subscriptions: too many") }
            for (room, config) in json.members {
                subscriptions[RoomID(trusted: room.string)] = try SlidingSyncRequest.config(config, "room_subscriptions", table)
            }
        }
        if let json = try body.member("extensions", object: "extensions") { try readExtensions(json) }
    }

    // MARK: Rooms

    private static func list(_ key: ByteString, _ json: JSON, _ table: RequiredStateTable) throws(MatrixError) -> SlidingList {
        var list = SlidingList(key: key, config: try config(json, "lists", table))
        if let ranges = try json.member("ranges", array: "lists: ranges") {
            guard ranges.count <= Limit.ranges else { throw .badJSON("ranges: at most \(Limit.ranges)") }
            for range in ranges.elements {
                guard range.isArray, range.count == 2, let first = range[0]?.int, let last = range[1]?.int, first >= 0, last >= 0 else {
                    throw .badJSON("ranges must be pairs of integers that are not negative")
                }
                list.ranges.append(ListRange(first: Int(first), last: Int(last)))
            }
        }
        _ = try json.member("slow_get_all_rooms", bool: "lists: slow_get_all_rooms")
        if let filters = try json.member("filters", object: "lists: filters") { list.filter = try filter(filters) }
        return list
    }

    private static func config(_ json: JSON, _ path: String, _ table: RequiredStateTable) throws(MatrixError) -> RoomConfig {
        guard json.isObject else { throw .badJSON("\(path) must hold objects") }
        guard let pairs = try json.member("required_state", array: "\(path): required_state") else {
            throw .missingParam("\(path): required_state is missing")
        }
        guard let limit = json["timeline_limit"], !limit.isNull else { throw .missingParam("\(path): timeline_limit is missing") }
        guard let limit = limit.int, limit <= Limit.timeline else {
            throw .badJSON("\(path): timeline_limit must be an integer of at most \(Limit.timeline)")
        }
        guard pairs.count <= Limit.required else { throw .badJSON("\(path): required_state has too many entries") }
        var keys: [ByteString: Set<ByteString>] = [:]
        for pair in pairs.elements {
            guard pair.isArray, pair.count == 2, let type = pair[0]?.byteString, let stateKey = pair[1]?.byteString else {
                throw .badJSON("\(path): required_state must hold pairs of strings")
            }
            keys[type, default: []].insert(stateKey)
        }
        return RoomConfig(timelineLimit: Int(max(0, limit)), required: table.shared(RequiredState(keys)))
    }

    private static func filter(_ json: JSON) throws(MatrixError) -> RoomListFilter {
        if let name = json["room_name_like"], !name.isNull { throw .invalidParam("filters: room_name_like is not supported") }
        var filter = RoomListFilter()
        filter.isDirect = try json.member("is_dm", bool: "filters: is_dm")
        filter.isEncrypted = try json.member("is_encrypted", bool: "filters: is_encrypted")
        filter.isInvite = try json.member("is_invite", bool: "filters: is_invite")
        filter.roomTypes = try types(json, "room_types")
        filter.notRoomTypes = try types(json, "not_room_types")
        filter.spaces = try json.strings("spaces", "filters: spaces", limit: Limit.spaces).map { spaces in
            Set(spaces.map { RoomID(trusted: $0.string) })
        }
        filter.tags = try json.strings("tags", "filters: tags", limit: Limit.filterEntries)
        filter.notTags = try json.strings("not_tags", "filters: not_tags", limit: Limit.filterEntries)
        return filter
    }

    /// Room types; null stands for rooms without one.
    private static func types(_ json: JSON, _ name: String) throws(MatrixError) -> Set<ByteString?>? {
        guard let list = try json.member(name, array: "filters: \(name)") else { return nil }
        guard list.count <= Limit.filterEntries else { throw .badJSON("filters: \(name) has too many entries") }
        var types: Set<ByteString?> = []
        for element in list.elements {
            guard element.isNull || element.isString else { throw .badJSON("filters: \(name) must hold strings or null") }
            types.insert(element.byteString)
        }
        return types
    }

    // MARK: Extensions

    private mutating func readExtensions(_ json: JSON) throws(MatrixError) {
        if let part = try SlidingSyncRequest.enabled("to_device", in: json) {
            let limit = try part.member("limit", int: "to_device: limit") ?? Limit.toDevice
            var since: StreamPosition?
            if let text = try part.member("since", string: "to_device: since") {
                guard let value = Int64(text.string) else { throw .badJSON("to_device: since should look like an int") }
                since = StreamPosition(max(0, value))
            }
            extensions.toDevice = SlidingExtensions.ToDevice(limit: Int(min(max(0, limit), Limit.toDevice)), since: since)
        }
        extensions.wantsEndToEnd = try SlidingSyncRequest.enabled("e2ee", in: json) != nil
        extensions.accountData = try SlidingSyncRequest.scope("account_data", in: json)
        extensions.receipts = try SlidingSyncRequest.scope("receipts", in: json)
        extensions.typing = try SlidingSyncRequest.scope("typing", in: json)
        if let part = try SlidingSyncRequest.enabled("io.element.msc4308.thread_subscriptions", in: json) {
            let limit = try part.member("limit", int: "thread_subscriptions: limit") ?? 100
            extensions.threadSubscriptionLimit = Int(min(max(1, limit), Limit.threadSubscriptions))
        }
    }

    /// An extension that is switched on.
    private static func enabled(_ name: String, in json: JSON) throws(MatrixError) -> JSON? {
        guard let part = try json.member(name, object: "extensions: \(name)"), try part.member("enabled", bool: "\(name): enabled") == true
        else { return nil }
        return part
    }

    private static func scope(_ name: String, in json: JSON) throws(MatrixError) -> SlidingExtensions.Scope? {
        guard let part = try enabled(name, in: json) else { return nil }
        // An absent member means everything, null means nothing.
        var scope = SlidingExtensions.Scope()
        let lists = part["lists"] == nil ? [RequiredState.wildcard] : try part.strings("lists", "\(name): lists", limit: 1000) ?? []
        let rooms = part["rooms"] == nil ? [RequiredState.wildcard] : try part.strings("rooms", "\(name): rooms", limit: 1000) ?? []
        scope.allLists = lists.contains(RequiredState.wildcard)
        scope.lists = lists
        scope.allRooms = rooms.contains(RequiredState.wildcard)
        scope.rooms = Set(rooms.map { RoomID(trusted: $0.string) })
        return scope
    }
}

/// Members of a body, nil where they are absent or null; `M_BAD_JSON` where they are of another type.
extension JSON {
    fileprivate func member(_ key: String, string path: String) throws(MatrixError) -> ByteString? {
        try member(key, path, "a string") { $0.byteString }
    }

    fileprivate func member(_ key: String, int path: String) throws(MatrixError) -> Int64? {
        try member(key, path, "an integer") { $0.int }
    }

    fileprivate func member(_ key: String, bool path: String) throws(MatrixError) -> Bool? {
        try member(key, path, "a boolean") { $0.bool }
    }

    fileprivate func member(_ key: String, object path: String) throws(MatrixError) -> JSON? {
        try member(key, path, "an object") { $0.isObject ? $0 : nil }
    }

    fileprivate func member(_ key: String, array path: String) throws(MatrixError) -> JSON? {
        try member(key, path, "an array") { $0.isArray ? $0 : nil }
    }

    fileprivate func strings(_ key: String, _ path: String, limit: Int) throws(MatrixError) -> Set<ByteString>? {
        guard let array = try member(key, array: path) else { return nil }
        guard array.count <= limit else { throw .badJSON("\(path) has too many entries") }
        var strings: Set<ByteString> = []
        for element in array.elements {
            guard let string = element.byteString else { throw .badJSON("\(path) must hold strings") }
            strings.insert(string)
        }
        return strings
    }

    private func member<T>(_ key: String, _ path: String, _ expected: String, _ make: (JSON) -> T?) throws(MatrixError) -> T? {
        guard let member = self[key], !member.isNull else { return nil }
        guard let value = make(member) else { throw .badJSON("\(path) must be \(expected)") }
        return value
    }
}
