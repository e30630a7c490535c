// The children of a space. Client-Server API §Spaces, m.space.child, §Ordering of children within a space.

import MatrixCore
import Persistence
import Rooms

/// A child as the space's `m.space.child` event names it.
package struct SpaceChild: Sendable {
    package static let type: ByteString = "m.space.child"

    package let room: RoomID
    package let isSuggested: Bool
    /// By which the room may be joined, or asked after: some of those that are named.
    package let servers: [ServerName]
    /// The event as a client of `/hierarchy` gets it.
    package let json: [UInt8]
    private let order: ByteString?
    private let timestamp: Timestamp

    /// - Returns: nil for an event that names no child: without servers to join by, its child was taken out.
    package init?(_ event: TimelineEvent) {
        guard let stateKey = event.stateKey, let room = RoomID(valid: stateKey.string), let content = event.contentIfReadable,
            SpaceChild.hasServers(content)
        else { return nil }
        self.init(room, content, sender: event.sender, timestamp: event.timestamp)
    }

    /// A stripped `m.space.child` event, as another server tells it.
    ///
    /// - Returns: nil for what names no child.
    package init?(stripped event: JSON) {
        guard event["type"]?.isString("m.space.child") == true, let room = event["state_key"]?.string.flatMap({ RoomID(valid: $0) }),
            let content = event["content"], content.isObject, SpaceChild.hasServers(content),
            let sender = event["sender"]?.string.flatMap({ UserID(valid: $0) }), let timestamp = event["origin_server_ts"]?.int
        else { return nil }
        self.init(room, content, sender: sender, timestamp: Timestamp(milliseconds: timestamp))
    }

    private init(_ room: RoomID, _ content: JSON, sender: UserID, timestamp: Timestamp) {
        self.room = room
        self.timestamp = timestamp
        isSuggested = content["suggested"]?.bool == true
        order = content["order"]?.byteString.flatMap { SpaceChild.isOrder($0) ? $0 : nil }
        let named = content["via"]?.elements.lazy.compactMap { $0.string.flatMap { ServerName(valid: $0) } }
        servers = named.map { Array($0.prefix(SpaceChild.serverLimit)) } ?? []
        var writer = JSONWriter()
        writer.object { json in
            json.member("type", "m.space.child")
            json.member("state_key", room)
            json.member("content", content)
            json.member("sender", sender)
            json.member("origin_server_ts", timestamp)
        }
        json = writer.bytes
    }

    private static let serverLimit = 5

    private static func hasServers(_ content: JSON) -> Bool {
        guard let servers = content["via"], servers.isArray, servers.count > 0 else { return false }
        return servers.elements.allSatisfy(\.isString)
    }

    /// At most fifty characters from space to tilde; any other value counts as none.
    private static func isOrder(_ text: ByteString) -> Bool {
        text.count <= 50 && text.string.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}

extension SpaceChild: Comparable {
    /// By `order`, those without it last; then by age; then by id.
    package static func < (a: SpaceChild, b: SpaceChild) -> Bool {
        switch (a.order, b.order) {
        case (let first?, let second?) where first != second: return first < second
        case (_?, nil): return true
        case (nil, _?): return false
        default: return (a.timestamp.milliseconds, a.room) < (b.timestamp.milliseconds, b.room)
        }
    }

    package static func == (a: SpaceChild, b: SpaceChild) -> Bool {
        a.room == b.room && a.order == b.order && a.timestamp == b.timestamp
    }
}
