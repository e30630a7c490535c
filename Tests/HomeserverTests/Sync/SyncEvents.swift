// Timeline events made up for the tests of sync.

import Homeserver
import MatrixCore
import Persistence
import Rooms

/// Makes timeline events for the tests of a suite.
protocol SyncSuite {}

extension SyncSuite {
    var alice: UserID { UserID(trusted: "@alice:test") }
    var bob: UserID { UserID(trusted: "@bob:test") }
    var room: RoomID { RoomID(trusted: "!room:test") }
    var roomNumber: RoomNID { RoomNID(1) }

    /// An event whose number is its position.
    func event(
        _ position: Int64, _ type: ByteString = "m.room.message", key: ByteString? = nil, by sender: UserID? = nil,
        membership: Membership? = nil, replaces: (nid: Int64, content: String, membership: Membership?)? = nil, redacts: String? = nil
    ) -> TimelineEvent {
        let sender = sender ?? alice
        return TimelineEvent(
            nid: EventNID(position), position: StreamPosition(position), id: EventID(trusted: "$\(position)"), roomID: room,
            roomNID: roomNumber, type: type, sender: sender, stateKey: key, timestamp: Timestamp(milliseconds: 0), depth: position,
            snapshotBefore: .empty, clientJSON: Array(#"{"content":{}"#.utf8),
            replaced: replaces.map { old in
                ReplacedEvent(
                    nid: EventNID(old.nid), id: EventID(trusted: "$\(old.nid)"), sender: sender, content: Array(old.content.utf8),
                    membership: old.membership)
            },
            redacts: redacts.map { EventID(trusted: $0) }, membership: membership)
    }

    func member(_ position: Int64, _ user: UserID, _ membership: Membership, after old: (nid: Int64, Membership)? = nil) -> TimelineEvent {
        event(
            position, "m.room.member", key: user.text, by: user, membership: membership,
            replaces: old.map { ($0.nid, "{}", $0.1) })
    }

    func commit(_ events: TimelineEvent...) -> Commit {
        Commit(
            changes: events.map { Change(position: $0.position, kind: .event($0)) },
            positions: (events.first?.position ?? .zero)...(events.last?.position ?? .zero))
    }

    func commit(_ position: Int64, _ kind: Change.Kind) -> Commit {
        Commit(
            changes: [Change(position: StreamPosition(position), kind: kind)],
            positions: StreamPosition(position)...StreamPosition(position))
    }

    func positions(_ events: [TimelineEvent]) -> [Int64] { events.map(\.position.value) }

    var everything: SyncFilter { SyncFilter(.everything, maximumLimit: 100) }
}
