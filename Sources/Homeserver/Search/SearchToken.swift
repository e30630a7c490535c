// Where the next page of a search begins. Client-Server API §Server Side Search, Pagination.

import MatrixCore
import Persistence

/// By what results are put together.
package enum SearchGrouping: String, Sendable, CaseIterable {
    case room = "room_id"
    case sender
}

/// A `next_batch`: the group whose results go on, if it is one, and the place behind which they do.
package struct SearchToken: Sendable, Hashable {
    package enum Group: Sendable, Hashable {
        case room(RoomID)
        case sender(UserID)
    }

    package let group: Group?
    package let place: SearchPlace

    package init(group: Group?, place: SearchPlace) {
        self.group = group
        self.place = place
    }

    private static let lengthLimit = 1024

    /// - Throws: `M_INVALID_PARAM` for what no answer named.
    package init(parsing text: String) throws(MatrixError) {
        guard text.utf8.count <= Self.lengthLimit, let bytes = Base64.decode(text, .urlSafe) else { throw Self.invalid }
        let parts = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 4, let timestamp = Int64(parts[2]), let position = Int64(parts[3]) else { throw Self.invalid }
        place = SearchPlace(timestamp: Timestamp(milliseconds: timestamp), position: StreamPosition(position))
        do {
            switch parts[0] {
            case "all" where parts[1].isEmpty: group = nil
            case SearchGrouping.room.rawValue: group = .room(try RoomID(parsing: parts[1]))
            case SearchGrouping.sender.rawValue: group = .sender(try UserID(parsing: parts[1]))
            default: throw Self.invalid
            }
        } catch {
            throw Self.invalid
        }
    }

    private static let invalid = MatrixError.invalidParam("Invalid batch")

    package var text: String {
        let (name, key) =
            switch group {
            case nil: ("all", "")
            case .room(let room): (SearchGrouping.room.rawValue, room.string)
            case .sender(let user): (SearchGrouping.sender.rawValue, user.string)
            }
        let parts = [name, key, String(place.timestamp.milliseconds), String(place.position.value)]
        return Base64.encode(Array(parts.joined(separator: "\n").utf8), .urlSafe)
    }
}
