// The recent changes that device lists are told by, in memory.

import DequeModule
import MatrixCore
import Persistence
import Rooms

/// Of the newest stretch of the stream, what matters to device lists, in order. It is fed with commits, each once and in order.
package struct DeviceListWindow: Sendable {
    package enum Entry: Sendable {
        case devices(DeviceListEntry)
        case membership(MembershipTransition)
        case completion(RoomID)
    }

    private var entries: Deque<(position: StreamPosition, entry: Entry)> = []
    /// Everything after this position that matters and was fed is among the entries.
    private var floor: StreamPosition
    /// Everything up to this position was fed.
    package private(set) var position: StreamPosition
    private let limit: Int

    package init(startingAt position: StreamPosition, limit: Int) {
        floor = position
        self.position = position
        self.limit = limit
    }

    package mutating func feed(_ commit: Commit) {
        for change in commit.changes where change.position > position {
            switch change.kind {
            case .deviceList(let user):
                entries.append((change.position, .devices(DeviceListEntry(user: user))))
            case .signatures(let user, let viewer):
                entries.append((change.position, .devices(DeviceListEntry(user: user, viewer: viewer))))
            case .event(let event):
                if let change = MembershipTransition(event) { entries.append((event.position, .membership(change))) }
            case .completion(let room, _):
                entries.append((change.position, .completion(room)))
            default:
                break
            }
        }
        position = max(position, commit.positions.upperBound)
        while entries.count > limit, let oldest = entries.popFirst() { floor = oldest.position }
    }

    /// Begins anew at `position`, because commits were missed.
    package mutating func restart(at position: StreamPosition) {
        entries.removeAll()
        floor = position
        self.position = position
    }

    /// What happened after `after` up to `upTo`; nil where the window does not cover that.
    package func entries(after: StreamPosition, upTo: StreamPosition) -> [Entry]? {
        guard after >= floor, upTo <= position else { return nil }
        guard let newest = entries.last, newest.position > after else { return [] }
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].position <= after { low = middle + 1 } else { high = middle }
        }
        return entries[low...].prefix { $0.position <= upTo }.map(\.entry)
    }
}

extension MembershipTransition {
    /// nil for events that change nobody's membership, such as a new display name.
    init?(_ event: TimelineEvent) {
        guard let membership = event.membership, membership != event.previousMembership, let member = event.stateKey else { return nil }
        self.init(
            room: event.roomID, user: UserID(trusted: member.string), before: event.previousMembership, after: membership)
    }
}
