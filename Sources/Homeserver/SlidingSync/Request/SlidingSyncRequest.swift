// What a client asks of sliding sync. MSC4186, POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync.

import MatrixCore
import Persistence

/// One request.
package struct SlidingSyncRequest: Sendable {
    package let user: UserID
    /// nil for a token without a device: such a client gets no to-device messages and no key counts.
    package let device: DeviceID?
    /// Where the client stands; nil for a new connection.
    package var position: SlidingSyncPosition?
    /// How long to wait for something to happen.
    package var timeout: Duration = .zero
    /// Which of the device's connections this is.
    package var connection: ByteString = ""
    /// In the order of their keys.
    package var lists: [SlidingList] = []
    package var subscriptions: [RoomID: RoomConfig] = [:]
    package var extensions = SlidingExtensions()

    package init(user: UserID, device: DeviceID?) {
        self.user = user
        self.device = device
    }

    /// Whether rooms are asked for at all; else there is nothing that a connection would have to remember.
    var wantsRooms: Bool { !lists.isEmpty || !subscriptions.isEmpty }
}

/// A sliding window over a sorted, filtered list of rooms.
package struct SlidingList: Sendable, Hashable {
    package let key: ByteString
    package var ranges: [ListRange] = []
    package var filter = RoomListFilter()
    package var config: RoomConfig

    package init(key: ByteString, config: RoomConfig) {
        self.key = key
        self.config = config
    }
}

/// Places in a list, counted from 0; both ends are part of it. Nothing is in a range that ends before it begins.
package struct ListRange: Sendable, Hashable {
    package let first: Int
    package let last: Int

    package init(first: Int, last: Int) {
        self.first = first
        self.last = last
    }

    /// The part of it that a list of so many rooms has.
    package func indices(count: Int) -> Range<Int> {
        guard first < count, last >= first else { return 0..<0 }
        return first..<(last < count ? last + 1 : count)
    }

    /// Whether a list of so many rooms lies in it whole.
    package func coversAll(_ count: Int) -> Bool { first == 0 && last >= count - 1 }
}

/// What is asked for beside the rooms themselves. nil or false where an extension is not enabled.
package struct SlidingExtensions: Sendable, Hashable {
    package var toDevice: ToDevice?
    package var wantsEndToEnd = false
    package var accountData: Scope?
    package var receipts: Scope?
    package var typing: Scope?
    /// The most changes of thread subscriptions in one response.
    package var threadSubscriptionLimit: Int?

    package init() {}

    package struct ToDevice: Sendable, Hashable {
        package let limit: Int
        /// Up to where the client has got its messages.
        package let since: StreamPosition?

        package init(limit: Int, since: StreamPosition?) {
            self.limit = limit
            self.since = since
        }
    }

    /// Which of the rooms of a response an extension is about.
    package struct Scope: Sendable, Hashable {
        package var allLists = false
        package var lists: Set<ByteString> = []
        package var allRooms = false
        package var rooms: Set<RoomID> = []

        package init() {}

        /// The rooms of all lists, and those that are subscribed to.
        package static let everything: Scope = {
            var scope = Scope()
            scope.allLists = true
            scope.allRooms = true
            return scope
        }()
    }
}
