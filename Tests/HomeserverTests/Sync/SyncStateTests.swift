import Homeserver
import MatrixCore
import Persistence
import Rooms
import Testing

@Suite("What sync knows in memory")
struct SyncStateTests: SyncSuite {
    private let phone = DeviceID(trusted: "PHONE")
    private let laptop = DeviceID(trusted: "LAPTOP")

    /// Alice and bob have feeds since position 10 and are in the room since 11 and 12.
    private func stateWithRoom(_ partialRooms: PartialRooms = PartialRooms()) -> SyncState {
        var state = SyncState(at: StreamPosition(10), byteLimit: 1 << 20, partialRooms: partialRooms)
        for user in [alice, bob] {
            let feed = state.feed(of: user, now: 0)
            state.load(feed, [], newest: [:], asOf: StreamPosition(10))
            feed.ignoredUsers = []
        }
        _ = state.apply(commit(member(11, alice, .join), member(12, bob, .join)))
        return state
    }

    private func scope(_ state: inout SyncState, _ user: UserID? = nil, since: Int64?, device: DeviceID? = nil) -> SyncScope? {
        let question = ScopeQuestion(user: user ?? bob, device: device, since: since.map { StreamPosition($0) }, filter: everything)
        return state.scope(question, now: 1)
    }

    @Test("nothing to look at when nothing happened since the token")
    func quiet() {
        var state = stateWithRoom()
        #expect(scope(&state, since: 12)?.isEmpty == true)
        #expect(scope(&state, since: 12)?.upTo == StreamPosition(12))
    }

    @Test("an event brings its room with just the events since the token, from memory")
    func news() {
        var state = stateWithRoom()
        _ = state.apply(commit(event(13), event(14)))
        let scope = scope(&state, since: 13)
        #expect(scope?.rooms.map(\.room.room) == [room])
        #expect(scope.map { positions($0.rooms[0].timeline.events) } == [14])
        #expect(scope?.rooms.first?.hasReceipts == false)
        #expect(scope?.hasAccountData == false)
        #expect(scope?.hasDeviceLists == false)
    }

    @Test("when events are found in a gap, what is before them is read again, and what was read without them is not kept")
    func past() {
        var state = stateWithRoom()
        _ = state.apply(commit(event(13), event(1_000_014), event(1_000_015)))
        _ = state.apply(commit(1_000_016, .past(room: roomNumber)))
        _ = state.apply(commit(event(1_000_017)))
        func timeline() -> (events: [Int64], floor: Int64)? {
            scope(&state, since: 12)?.rooms.first.map { (positions($0.timeline.events), $0.timeline.floor.value) }
        }
        #expect(timeline()?.events == [1_000_017] && timeline()?.floor == 1_000_016)
        // A sync has read these before.
        let (old, end) = ([event(13), event(1_000_014), event(1_000_015)], StreamPosition(1_000_016))
        state.keep(old, after: StreamPosition(12), upTo: end, of: roomNumber, asOf: StreamPosition(1_000_015))
        #expect(timeline()?.events == [1_000_017])
        state.keep([event(1_000_013)] + old.dropFirst(), after: StreamPosition(13), upTo: end, of: roomNumber, asOf: end)
        #expect(timeline()?.events == [1_000_013, 1_000_014, 1_000_015, 1_000_017] && timeline()?.floor == 13)
        // What comes in the same commit is not forgotten.
        let news = Commit(
            changes: [
                Change(position: StreamPosition(1_000_018), kind: .past(room: roomNumber)),
                Change(position: StreamPosition(1_000_019), kind: .event(event(1_000_019))),
            ], positions: StreamPosition(1_000_018)...StreamPosition(1_000_019))
        _ = state.apply(news)
        #expect(timeline()?.events == [1_000_019] && timeline()?.floor == 1_000_018)
    }

    @Test("a token from before what is known has everything asked for")
    func old() {
        var state = stateWithRoom()
        let scope = scope(&state, since: 3, device: phone)
        #expect(scope?.hasAccountData == true)
        #expect(scope?.hasToDevice == true)
        #expect(scope?.hasDeviceLists == true)
        #expect(scope?.rooms.first?.hasReceipts == true)
    }

    @Test("a user who is not loaded has to be read first")
    func unloaded() {
        var state = SyncState(at: StreamPosition(10), byteLimit: 1 << 20)
        #expect(scope(&state, since: 10) == nil)
    }

    private var lazy: SyncFilter {
        var filter = Filter.everything
        filter.room.state.lazyLoadMembers = true
        return SyncFilter(filter, maximumLimit: 100)
    }

    @Test("a room whose members are not all known is for those who load members lazily; the others see it when they are")
    func partial() {
        let rooms = PartialRooms()
        rooms.set(.partial, of: roomNumber)
        var state = stateWithRoom(rooms)
        _ = state.apply(commit(event(13)))
        func scope(_ filter: SyncFilter, since: Int64?) -> SyncScope? {
            state.scope(ScopeQuestion(user: bob, device: nil, since: since.map { StreamPosition($0) }, filter: filter), now: 1)
        }
        #expect(scope(everything, since: 12)?.rooms.isEmpty == true && scope(everything, since: nil)?.rooms.isEmpty == true)
        #expect(scope(lazy, since: 12)?.rooms.count == 1 && scope(lazy, since: nil)?.rooms.count == 1)

        let waiter = SyncWaiter(device: phone)
        let parked = state.park(waiter, of: bob, seen: StreamPosition(13))
        #expect(parked)
        rooms.set(.whole(at: StreamPosition(14)), of: roomNumber)
        let woken = state.apply(commit(14, .completion(room: room, nid: roomNumber)))
        #expect(woken.count == 1 && woken.first === waiter)
        for filter in [everything, lazy] {
            #expect(scope(filter, since: 13)?.rooms.map(\.wholeAt) == [StreamPosition(14)])
            #expect(scope(filter, since: 13)?.hasDeviceLists == true)
            #expect(scope(filter, since: 14)?.isEmpty == true)
        }
    }

    @Test("who waits in a room is woken by its events, once, and others are not")
    func wake() {
        var state = stateWithRoom()
        let waiter = SyncWaiter(device: phone)
        let parked = state.park(waiter, of: bob, seen: StreamPosition(12))
        #expect(parked)
        let none = state.apply(commit(13, .accountData(user: alice, room: nil)))
        #expect(none.isEmpty)
        let woken = state.apply(commit(event(14), event(15)))
        #expect(woken.count == 1 && woken[0] === waiter)
        let again = state.apply(commit(event(16)))
        #expect(again.isEmpty)
    }

    @Test("nobody falls asleep over what happened while they looked")
    func race() {
        var state = stateWithRoom()
        _ = state.apply(commit(event(13)))
        let early = state.park(SyncWaiter(device: nil), of: bob, seen: StreamPosition(12))
        #expect(!early)
        let late = state.park(SyncWaiter(device: nil), of: bob, seen: StreamPosition(13))
        #expect(late)
    }

    @Test("a message to a device wakes that device only")
    func toDevice() {
        var state = stateWithRoom()
        for device in [phone, laptop] { _ = scope(&state, since: 12, device: device) }
        let (one, other) = (SyncWaiter(device: phone), SyncWaiter(device: laptop))
        for waiter in [one, other] {
            let parked = state.park(waiter, of: bob, seen: StreamPosition(12))
            #expect(parked)
        }
        let woken = state.apply(commit(13, .toDevice(user: bob, device: phone)))
        #expect(woken.count == 1 && woken[0] === one)
        #expect(scope(&state, since: 12, device: phone)?.hasToDevice == true)
        #expect(scope(&state, since: 12, device: laptop)?.hasToDevice == false)
    }

    @Test("a change of devices is told to those who share a room, and to everyone when that is not known")
    func deviceLists() {
        var state = stateWithRoom()
        let carol = UserID(trusted: "@carol:test")
        let waiter = SyncWaiter(device: nil)
        _ = state.park(waiter, of: bob, seen: StreamPosition(12))
        let strangers = commit(13, .deviceList(user: carol))
        #expect(state.strangers(in: strangers) == [carol])
        let none = state.apply(strangers, strangersRooms: [carol: []])
        #expect(none.isEmpty)
        let sharing = state.apply(commit(14, .deviceList(user: carol)), strangersRooms: [carol: [roomNumber]])
        #expect(sharing.count == 1)
        _ = state.park(waiter, of: bob, seen: StreamPosition(14))
        let unknown = state.apply(commit(15, .deviceList(user: carol)))
        #expect(unknown.count == 1)
        _ = state.park(waiter, of: bob, seen: StreamPosition(15))
        // Alice has a feed, so her rooms are known.
        let alices = commit(16, .deviceList(user: alice))
        #expect(state.strangers(in: alices).isEmpty)
        let told = state.apply(alices)
        #expect(told.count == 1)
    }

    @Test("who left is woken for that, and hears nothing of the room any more")
    func leave() {
        var state = stateWithRoom()
        let waiter = SyncWaiter(device: nil)
        _ = state.park(waiter, of: bob, seen: StreamPosition(12))
        let woken = state.apply(commit(member(13, bob, .leave, after: (12, .join))))
        #expect(woken.count == 1)
        #expect(scope(&state, since: 12)?.rooms.first?.room.membership == .leave)
        _ = state.park(waiter, of: bob, seen: StreamPosition(13))
        let silence = state.apply(commit(event(14)))
        #expect(silence.isEmpty)
        #expect(scope(&state, since: 13)?.isEmpty == true)
    }

    @Test("an invite wakes a user who has nothing to do with the room yet")
    func invite() {
        var state = stateWithRoom()
        let carol = UserID(trusted: "@carol:test")
        let feed = state.feed(of: carol, now: 0)
        state.load(feed, [], newest: [:], asOf: StreamPosition(12))
        feed.ignoredUsers = []
        _ = state.park(SyncWaiter(device: nil), of: carol, seen: StreamPosition(12))
        let invite = event(13, "m.room.member", key: carol.text, by: alice, membership: .invite)
        let woken = state.apply(commit(invite))
        #expect(woken.count == 1)
        #expect(scope(&state, carol, since: 12)?.rooms.first?.room.membership == .invite)
    }

    @Test("a commit that was taken in before changes nothing")
    func again() {
        var state = stateWithRoom()
        let news = commit(event(13))
        _ = state.apply(news)
        _ = state.park(SyncWaiter(device: nil), of: bob, seen: StreamPosition(13))
        let woken = state.apply(news)
        #expect(woken.isEmpty)
        #expect(state.position == StreamPosition(13))
    }

    @Test("users who do not sync any more are let go of, and with the last of them the room")
    func expiry() {
        var state = stateWithRoom()
        let later = SyncState.feedLifetime + 10
        _ = state.feed(of: alice, now: later)
        state.expire(now: later)
        #expect(state.feeds[bob] == nil)
        #expect(state.feeds[alice] != nil)
        #expect(state.tails.count == 1)
        state.expire(now: 3 * later)
        #expect(state.feeds.isEmpty)
        #expect(state.tails.isEmpty)
        #expect(state.byteCount == 0)
    }

    @Test("events in memory keep within their budget")
    func budget() {
        var state = SyncState(at: .zero, byteLimit: 10_000)
        let feed = state.feed(of: alice, now: 0)
        state.load(feed, [], newest: [:], asOf: .zero)
        for number in 1...50 {
            let position = Int64(number)
            let join = TimelineEvent(
                nid: EventNID(position), position: StreamPosition(position), id: EventID(trusted: "$\(position)"),
                roomID: RoomID(trusted: "!\(number):test"), roomNID: RoomNID(position), type: "m.room.member", sender: alice,
                stateKey: alice.text, timestamp: Timestamp(milliseconds: 0), depth: 1, snapshotBefore: .empty,
                clientJSON: Array("{".utf8), membership: .join)
            _ = state.apply(commit(join))
            #expect(state.byteCount <= 10_000)
        }
        #expect(state.tails.count == 50)
    }
}
