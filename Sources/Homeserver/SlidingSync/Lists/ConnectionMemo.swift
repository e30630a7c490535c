// What was worked out for a connection's last answer, and saves work for the next one.

import MatrixCore
import Persistence

/// As of one position of the client. It says nothing that could not be found out again, so it is never stored.
struct ConnectionMemo: Sendable {
    /// The answer after which the client stands here.
    var number: Int64 = 0
    var stream: StreamPosition = .zero
    /// Every room that these show was sent as far as it is asked for.
    var lists: [ListMemo] = []
    var subscriptions: [RoomID: RoomConfig] = [:]
    var extensions = SlidingExtensions()
    var catalog = RoomCatalog()

    /// Whether what is asked of receipts and account data is what was asked before.
    func fits(_ others: SlidingExtensions) -> Bool {
        extensions.receipts == others.receipts && extensions.accountData == others.accountData
    }

    /// Hands a list over to who changes it.
    mutating func takeList(_ key: ByteString) -> ListMemo? {
        lists.firstIndex { $0.list.key == key }.map { lists.remove(at: $0) }
    }

    /// About how many bytes it holds.
    var cost: Int { 512 + lists.reduce(0) { $0 + $1.order.count * 80 } + catalog.cost }
}

/// One list, in order.
struct ListMemo: Sendable {
    var list: SlidingList
    var order: RoomOrder
    /// The ids of all its rooms as a JSON array, for as long as no room comes or goes.
    var rendered: [UInt8]?
}

/// What lists of rooms have to know of a user and their rooms.
struct RoomCatalog: Sendable {
    /// Up to where account data is in it.
    var asOf: StreamPosition?
    /// `m.direct`.
    var direct: Set<RoomID> = []
    /// nil as long as no list asks for them.
    var tags: [RoomID: Set<ByteString>]?
    /// The spaces that lists ask for, as far as the user is in them.
    var spaces: [RoomID: Space] = [:]
    /// Client-Server API §Invite permission.
    var blocksInvites = false
    var ignored: Set<UserID> = []
    var names: [RoomNID: RoomID] = [:]
    /// Who sent the user's member events of the rooms that the user is not in.
    var senders: [EventNID: UserID] = [:]
    /// Rooms that are shown because others have removed the user.
    var removals: Set<RoomNID> = []
    /// Rooms that are shown once, as the user has left them since the last answer.
    var departures: Set<RoomNID> = []
    /// Of `removals`, as of `forgottenAt`, on the clock of `SyncTimer`.
    var forgotten: Set<RoomNID> = []
    var forgottenAt: Int64 = .min / 2

    /// How long a forgotten room may be shown still, in milliseconds.
    static let forgettingInterval: Int64 = 5000

    var cost: Int { (names.count + senders.count) * 60 + (direct.count + spaces.reduce(0) { $0 + $1.value.rooms.count }) * 48 }

    /// The children of a space.
    struct Space: Sendable {
        let rooms: Set<RoomID>
        /// When they were looked at.
        let asOf: StreamPosition
    }

    /// The spaces that a room is in.
    func parents(of room: RoomID) -> Set<RoomID> {
        Set(spaces.lazy.filter { $0.value.rooms.contains(room) }.map(\.key))
    }

    /// Whether a list may show other rooms than by `other`.
    func selects(like other: RoomCatalog) -> Bool {
        direct == other.direct && tags == other.tags && blocksInvites == other.blocksInvites && ignored == other.ignored
            && spaces.mapValues(\.rooms) == other.spaces.mapValues(\.rooms)
    }
}
