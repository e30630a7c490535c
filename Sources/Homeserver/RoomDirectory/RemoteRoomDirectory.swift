// The room directories of other servers, for clients of this one. Client-Server API §Listing rooms, `server`.

import Federation
import MatrixCore

/// Asks another server. `FederationClient` does it; tests answer by themselves.
package protocol RemoteRoomListSource: Sendable {
    func publicRooms(_ query: PublicRoomsQuery, of server: ServerName) async throws(FederationFailure) -> JSON
}

extension FederationClient: RemoteRoomListSource {}

/// Fetches pages of other servers' room directories.
package struct RemoteRoomDirectory: Sendable {
    private let source: any RemoteRoomListSource
    private let isEnabled: Bool

    /// - Parameter isEnabled: `enable_room_list_search`.
    package init(source: any RemoteRoomListSource, isEnabled: Bool) {
        self.source = source
        self.isEnabled = isEnabled
    }

    /// - Throws: 502 where the server cannot be asked, or does not answer with a list; `M_FORBIDDEN` where it is not spoken with.
    package func page(_ query: PublicRoomsQuery, of server: ServerName) async throws -> RemoteRoomListPage {
        guard isEnabled else { return RemoteRoomListPage() }
        do throws(FederationFailure) {
            return try RemoteRoomListPage(await source.publicRooms(query, of: server), limit: query.limit)
        } catch .answered(let error) where query.filter != nil && Self.cannotSearch(error) {
            return try await searchedHere(query, of: server)
        } catch {
            throw Self.failure(error)
        }
    }

    /// A server that does not let others search its list still shows it.
    private func searchedHere(_ query: PublicRoomsQuery, of server: ServerName) async throws -> RemoteRoomListPage {
        var whole = query
        whole.filter = nil
        whole.limit = nil
        whole.since = nil
        do throws(FederationFailure) {
            var page = try RemoteRoomListPage(await source.publicRooms(whole, of: server), limit: nil)
            page.filter(by: query.filter ?? [:])
            return page
        } catch {
            throw Self.failure(error)
        }
    }

    private static func cannotSearch(_ error: MatrixError) -> Bool {
        [404, 405].contains(error.status) || ["M_UNRECOGNIZED", "M_NOT_FOUND"].contains(error.errcode)
    }

    private static func failure(_ failure: FederationFailure) -> MatrixError { MatrixError(failure, or: "Failed to fetch room list") }
}

/// A page as another server tells it: the rooms that are of the right form, and its tokens.
package struct RemoteRoomListPage: Sendable {
    package private(set) var rooms: [JSON] = []
    package private(set) var nextBatch: String?
    package private(set) var prevBatch: String?
    package private(set) var total: Int64?

    /// More than is asked for nobody needs.
    private static let roomLimit = 500

    init() {}

    init(_ answer: JSON, limit: Int64?) throws(FederationFailure) {
        guard let chunk = answer["chunk"], chunk.isArray else { throw .malformed("its answer is no list of rooms") }
        let limit = limit.map { $0 > 0 ? min(Int($0), Self.roomLimit) : Self.roomLimit } ?? Self.roomLimit
        rooms = Array(chunk.elements.lazy.filter { Self.isRoom($0) }.prefix(limit))
        nextBatch = answer["next_batch"]?.string
        prevBatch = answer["prev_batch"]?.string
        total = answer["total_room_count_estimate"]?.int
    }

    private static func isRoom(_ entry: JSON) -> Bool {
        entry["room_id"]?.string.flatMap { RoomID(valid: $0) } != nil && entry["num_joined_members"]?.int != nil
            && entry["world_readable"]?.bool != nil && entry["guest_can_join"]?.bool != nil
            && texts.allSatisfy { entry[$0].map { $0.isString || $0.isNull } ?? true }
    }

    private static let texts = ["name", "topic", "canonical_alias", "avatar_url", "join_rule", "room_type"]

    /// Keeps the rooms that a search finds. There are no further pages then.
    mutating func filter(by filter: JSONObject) {
        let term = filter["generic_search_term"]?.string.map { $0.lowercased() } ?? ""
        let types = filter["room_types"]?.array ?? []
        rooms = rooms.filter { room in
            let isOfType = types.isEmpty || types.contains { $0.string == room["room_type"]?.string }
            let isFound =
                term.isEmpty || ["name", "topic", "canonical_alias"].contains { room[$0]?.string?.lowercased().contains(term) == true }
            return isOfType && isFound
        }
        (nextBatch, prevBatch, total) = (nil, nil, nil)
    }
}
