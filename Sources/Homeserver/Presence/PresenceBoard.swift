// Who is there: what clients do, and what the clock makes of it. Client-Server API §Presence.

import MatrixCore
import Persistence

/// The presence of the users who are there or were until lately, as a value: it is told what happens and when, and says whose presence
/// is news. All times are in milliseconds since the epoch.
package struct PresenceBoard {
    /// After how long what happens, in milliseconds.
    package struct Timings: Sendable, Hashable {
        /// Without activity until an online device counts as idle.
        package var idle: Int64 = 5 * 60 * 1000
        /// Without a sync until a device counts as gone.
        package var syncOnline: Int64 = 30 * 1000
        /// Since the last activity until a user no longer counts as active just now.
        package var activeGranularity: Int64 = 60 * 1000
        /// Without a word of a user's server until the user of another server counts as gone.
        package var remoteSilence: Int64 = 30 * 60 * 1000

        package init() {}
    }

    /// One device of a user, or all that act without one.
    struct Device {
        var state: PresenceState
        var lastActive: Int64
        var lastSync: Int64 = 0
        /// Syncs under way.
        var openSyncs = 0
    }

    struct Entry {
        var presence: UserPresence
        /// Of a user of this server.
        var devices: [DeviceID?: Device] = [:]
        /// When the server of another server's user told of the user last; nil for ours.
        var heardAt: Int64?
        /// When the clock may change something; a check at that time is in the queue.
        var checkAt: Int64?
        /// When anything happened last.
        var touched: Int64
    }

    private var users: [UserID: Entry] = [:]
    private var checks = DeadlineQueue<UserID>(slotLength: 500)
    private var unsaved: Set<UserID> = []
    private let timings: Timings

    /// How long somebody is remembered who has gone and whose presence is stored.
    private static let memory: Int64 = 10 * 60 * 1000

    package init(timings: Timings = Timings()) {
        self.timings = timings
    }

    // MARK: Looking

    package func isKnown(_ user: UserID) -> Bool { users[user] != nil }
    package func presence(of user: UserID) -> UserPresence? { users[user]?.presence }

    /// Those of these users who are known here.
    package func presences(of wanted: [UserID]) -> [UserID: UserPresence] {
        var found: [UserID: UserPresence] = [:]
        for user in wanted { found[user] = users[user]?.presence }
        return found
    }

    /// Those who are there. Everyone who is there is known here.
    package var present: [UserID] { users.compactMap { $0.value.presence.state == .offline ? nil : $0.key } }

    /// Those known here whose presence changed after `position`.
    package func changed(after position: StreamPosition) -> [UserID] {
        users.compactMap { $0.value.presence.position > position ? $0.key : nil }
    }

    // MARK: What happens
    // Each answers whether the user's presence is news.

    /// A device begins a sync that shows it in this state.
    package mutating func beginSync(_ user: UserID, _ device: DeviceID?, as state: PresenceState, now: Int64) -> Bool {
        update(user, now: now) { entry in
            var known = entry.devices[device] ?? Device(state: state, lastActive: now)
            known.state = state
            known.lastActive = now
            known.lastSync = now
            known.openSyncs += 1
            entry.devices[device] = known
            // Who comes to be there does something by it, also when they show themselves as idle.
            if entry.presence.state == .offline { entry.presence.lastActive = Timestamp(milliseconds: now) }
            entry.combine(activeAt: now)
        }
    }

    /// A sync that was begun is over.
    package mutating func endSync(_ user: UserID, _ device: DeviceID?, now: Int64) {
        guard var known = users[user]?.devices[device] else { return }
        known.lastSync = now
        known.openSyncs = max(0, known.openSyncs - 1)
        users[user]?.devices[device] = known
        schedule(user)
    }

    /// The user says how they are.
    package mutating func set(_ user: UserID, _ device: DeviceID?, to state: PresenceState, message: String?, now: Int64) -> Bool {
        update(user, now: now) { entry in
            var known = entry.devices[device] ?? Device(state: state, lastActive: now)
            known.state = state
            known.lastActive = now
            entry.devices[device] = known
            entry.presence.statusMessage = message
            entry.combine(activeAt: now)
        }
    }

    /// The user did something. An idle device is online again by that; one that is gone stays gone.
    package mutating func noteActivity(_ user: UserID, _ device: DeviceID?, now: Int64) -> Bool {
        guard users[user] != nil else { return false }
        return update(user, now: now) { entry in
            if var known = entry.devices[device] {
                known.lastActive = now
                if known.state == .unavailable { known.state = .online }
                entry.devices[device] = known
            }
            entry.combine(activeAt: now)
            entry.presence.lastActive = Timestamp(milliseconds: now)
        }
    }

    /// Carries out what is due.
    ///
    /// - Returns: whose presence is news.
    package mutating func check(now: Int64) -> [UserID] {
        var news: [UserID] = []
        for user in Set(checks.removeDue(at: now)) {
            guard users[user] != nil else { continue }
            users[user]?.checkAt = nil
            let timings = timings
            let isNews = update(user, now: now, touches: false) { entry in
                if let heardAt = entry.heardAt {
                    if now >= heardAt + timings.remoteSilence { entry.presence.state = .offline }
                    return
                }
                for (id, device) in entry.devices {
                    if device.openSyncs == 0, now >= max(device.lastSync, device.lastActive) + timings.syncOnline {
                        entry.devices[id] = nil
                    } else if device.state == .online, now >= device.lastActive + timings.idle {
                        entry.devices[id]?.state = .unavailable
                    }
                }
                entry.combine(activeAt: nil)
            }
            if isNews { news.append(user) }
        }
        return news
    }

    /// When something is due next; nil while nobody is there.
    package mutating func nextCheck() -> Int64? { checks.nextDeadline() }

    /// Whether the clock changes nothing, and nothing is to be stored.
    package var isResting: Bool { mutating get { checks.nextDeadline() == nil && unsaved.isEmpty } }

    /// A change of the user's presence is published at `position`.
    package mutating func notePublished(_ user: UserID, at position: StreamPosition) {
        users[user]?.presence.position = position
        unsaved.insert(user)
    }

    mutating func update(_ user: UserID, now: Int64, touches: Bool = true, _ change: (inout Entry) -> Void) -> Bool {
        var entry = users[user] ?? Entry(presence: UserPresence(), touched: now)
        let before = entry.presence
        change(&entry)
        // What another server says of its users stands until it says something else.
        let isActive =
            entry.heardAt != nil
            ? entry.presence.isCurrentlyActive : now - entry.presence.lastActive.milliseconds < timings.activeGranularity
        entry.presence.isCurrentlyActive = entry.presence.state == .online && isActive
        if touches { entry.touched = now }
        users[user] = entry
        schedule(user)
        if entry.presence != before { unsaved.insert(user) }
        return entry.presence.isNews(after: before, granularity: timings.activeGranularity)
    }

    /// Puts the earliest time at which the clock may change something into the queue. Syncs only put it off: then the check that is there
    /// finds nothing to do, and is put back.
    private mutating func schedule(_ user: UserID) {
        guard let entry = users[user] else { return }
        var due: Int64?
        func consider(_ time: Int64) { due = min(due ?? .max, time) }
        if let heardAt = entry.heardAt {
            if entry.presence.state != .offline { consider(heardAt + timings.remoteSilence) }
        } else if entry.presence.isCurrentlyActive {
            consider(entry.presence.lastActive.milliseconds + timings.activeGranularity)
        }
        for device in entry.devices.values {
            if device.openSyncs == 0 { consider(max(device.lastSync, device.lastActive) + timings.syncOnline) }
            if device.state == .online { consider(device.lastActive + timings.idle) }
        }
        guard let due, due < entry.checkAt ?? .max else { return }
        users[user]?.checkAt = due
        _ = checks.insert(user, deadline: due)
    }

    // MARK: Keeping

    /// Takes over what was stored, for a user who is not known. Somebody who was there has some time to come back.
    package mutating func restore(_ user: UserID, _ presence: UserPresence, now: Int64) {
        guard users[user] == nil else { return }
        var entry = Entry(presence: presence, touched: now)
        if presence.state != .offline {
            entry.devices[nil] = Device(state: presence.state, lastActive: presence.lastActive.milliseconds, lastSync: now)
            entry.presence.isCurrentlyActive =
                presence.state == .online && now - presence.lastActive.milliseconds < timings.activeGranularity
        }
        users[user] = entry
        schedule(user)
    }

    /// The same for a user of another server, of whom it is as if their server had told of them just now.
    package mutating func restoreRemote(_ user: UserID, _ presence: UserPresence, now: Int64) {
        guard users[user] == nil else { return }
        users[user] = Entry(presence: presence, heardAt: now, touched: now)
        schedule(user)
    }

    /// What changed since the last time, to be stored; who is offline for a while and stored is forgotten.
    package mutating func takeUnsaved(now: Int64) -> [PresenceRow] {
        let rows = unsaved.compactMap { user in users[user]?.presence.row(of: user) }
        let changed = unsaved
        unsaved = []
        users = users.filter { user, entry in
            entry.presence.state != .offline || !entry.devices.isEmpty || now - entry.touched < PresenceBoard.memory
                || changed.contains(user)
        }
        return rows
    }

    /// What was taken could not be stored.
    package mutating func putBack(_ rows: [PresenceRow]) {
        for row in rows where users[row.user] != nil { unsaved.insert(row.user) }
    }
}

extension PresenceBoard.Entry {
    /// The state of the device that is most there becomes the user's.
    ///
    /// - Parameter now: nil where it is only the clock that changes something.
    fileprivate mutating func combine(activeAt now: Int64?) {
        presence.state = devices.values.map(\.state).max() ?? .offline
        if let now, presence.state == .online { presence.lastActive = Timestamp(milliseconds: now) }
    }
}
