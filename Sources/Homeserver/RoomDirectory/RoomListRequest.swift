// What a client asks of the room directory. Client-Server API §Listing rooms, /publicRooms.

import MatrixCore
import Persistence

package struct RoomListRequest: Sendable {
    package var query = RoomListQuery()
    package var limit = RoomListRequest.pageLimit
    /// Whether the page goes on from another, so that there is one before it.
    package private(set) var isContinued = false

    /// At most this many rooms come in one page.
    package static let pageLimit = 100

    /// Bytes. What is longer finds nothing, and is not worth looking for.
    private static let termLimit = 1000
    private static let typeCountLimit = 100

    package init() {}

    /// From the body of a POST.
    ///
    /// - Parameter ownTokens: whether `since` is a token of this server; another server's is not looked at.
    package init(_ body: JSON, ownTokens: Bool = true) throws(MatrixError) {
        let since = try Self.string(body["since"], "since")
        try self.init(limit: Self.int(body["limit"], "limit"), since: ownTokens ? since : nil)
        if let filter = body["filter"], !filter.isNull {
            guard filter.isObject else { throw .badJSON("filter must be an object") }
            query.searchTerm = try Self.term(filter["generic_search_term"])
            query.roomTypes = try Self.roomTypes(filter["room_types"])
        }
        query.list = try Self.list(body)
    }

    /// - Parameter limit: 0 stands for no limit of the client's.
    package init(limit: Int64?, since: String?) throws(MatrixError) {
        if let limit {
            guard limit >= 0 else { throw .invalidParam("limit must not be negative") }
            if limit > 0 { self.limit = Int(min(limit, Int64(RoomListRequest.pageLimit))) }
        }
        if let since, !since.isEmpty {
            let token = try RoomListToken(parsing: since)
            query.start = token.place
            query.direction = token.direction
            isContinued = true
        }
    }

    /// The form in which text is looked through. Only the beginning of long text is.
    static func searchable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(2000))).lowercased()
    }

    // MARK: Steps

    private static func term(_ value: JSON?) throws(MatrixError) -> String? {
        guard let text = try string(value, "generic_search_term"), !text.isEmpty else { return nil }
        guard text.utf8.count <= termLimit else { throw .invalidParam("The search term is longer than \(termLimit) bytes") }
        return searchable(storable(text))
    }

    private static func roomTypes(_ value: JSON?) throws(MatrixError) -> [String?]? {
        guard let value, !value.isNull else { return nil }
        guard value.isArray, value.count <= typeCountLimit else {
            throw .badJSON("room_types must be a list of at most \(typeCountLimit) types")
        }
        var types: [String?] = []
        for element in value.elements {
            guard element.isNull || element.isString else { throw .badJSON("room_types must be a list of strings and null") }
            types.append(element.string.map { storable($0) })
        }
        // Synapse's clients send an empty list for "of any type".
        return types.isEmpty ? nil : types
    }

    private static func list(_ body: JSON) throws(MatrixError) -> RoomListQuery.List {
        let instance = try string(body["third_party_instance_id"], "third_party_instance_id")
        if body["include_all_networks"]?.bool == true {
            guard instance == nil else { throw .invalidParam("Can't use include_all_networks with an explicit network") }
            return .all
        }
        guard let instance else { return .own }
        // `SERVICE|NETWORK`, as the instances of a protocol are told to clients.
        let parts = instance.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !instance.utf8.contains(0) else { throw .invalidParam("Invalid third_party_instance_id") }
        return .network(service: String(parts[0]), network: String(parts[1]))
    }

    private static func string(_ value: JSON?, _ name: String) throws(MatrixError) -> String? {
        guard let value, !value.isNull else { return nil }
        guard let text = value.string else { throw .badJSON("\(name) must be a string") }
        return text
    }

    private static func int(_ value: JSON?, _ name: String) throws(MatrixError) -> Int64? {
        guard let value, !value.isNull else { return nil }
        guard let number = value.int else { throw .badJSON("\(name) must be an integer") }
        return number
    }
}

/// Where a page of the room directory goes on: `next_batch`, `prev_batch` and `since`.
package struct RoomListToken: Sendable, Hashable {
    package let place: RoomListQuery.Place
    package let direction: RoomListQuery.Direction

    package init(_ place: RoomListQuery.Place, _ direction: RoomListQuery.Direction) {
        self.place = place
        self.direction = direction
    }

    /// - Throws: `M_INVALID_PARAM` for what is no token of ours.
    package init(parsing text: String) throws(MatrixError) {
        guard text.utf8.count <= 1000, let bytes = Base64.decode(text, .urlSafe), let decoded = ByteString(utf8: bytes)?.string,
            !decoded.utf8.contains(0)
        else { throw Self.invalid }
        let parts = decoded.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let members = Int64(parts[1]), members >= 0 else { throw Self.invalid }
        switch parts[0] {
        case "n": direction = .forwards
        case "p": direction = .backwards
        default: throw Self.invalid
        }
        place = RoomListQuery.Place(joinedMembers: members, room: String(parts[2]))
    }

    package var text: String {
        Base64.encode("\(direction == .forwards ? "n" : "p") \(place.joinedMembers) \(place.room)".utf8, .urlSafe)
    }

    private static var invalid: MatrixError { .invalidParam("Unknown pagination token") }
}

/// One page of the room directory.
package struct RoomListPage: Sendable {
    /// Most members first.
    package let rooms: [RoomSummaryRow]
    package let nextBatch: String?
    package let prevBatch: String?
    package let total: Int64

    package static let empty = RoomListPage(rooms: [], nextBatch: nil, prevBatch: nil, total: 0)

    private init(rooms: [RoomSummaryRow], nextBatch: String?, prevBatch: String?, total: Int64) {
        self.rooms = rooms
        self.nextBatch = nextBatch
        self.prevBatch = prevBatch
        self.total = total
    }

    /// - Parameter found: one more than the page holds, where there are more; most members first.
    init(_ found: [RoomSummaryRow], of request: RoomListRequest, total: Int64) {
        let hasMore = found.count > request.limit
        func token(_ room: RoomSummaryRow?, _ direction: RoomListQuery.Direction) -> String? {
            room.map {
                RoomListToken(RoomListQuery.Place(joinedMembers: $0.joinedMembers, room: $0.roomID.string), direction).text
            }
        }
        self.total = total
        switch request.query.direction {
        case .forwards:
            rooms = Array(found.prefix(request.limit))
            nextBatch = hasMore ? token(rooms.last, .forwards) : nil
            // Behind the end there is nothing to name: back from there is back from behind the smallest room.
            let end = RoomListToken(RoomListQuery.Place(joinedMembers: 0, room: ""), .backwards).text
            prevBatch = request.isContinued ? token(rooms.first, .backwards) ?? end : nil
        case .backwards:
            rooms = Array(found.suffix(request.limit))
            nextBatch = token(rooms.last, .forwards)
            prevBatch = hasMore ? token(rooms.first, .backwards) : nil
        }
    }
}
