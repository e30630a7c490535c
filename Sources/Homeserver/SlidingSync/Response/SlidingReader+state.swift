// The state part of a room: what names it, who is in it, and what the client wants of its state. MSC4186, `required_state`.

import MatrixCore
import Persistence
import Rooms

/// A room's state now, or as it was when the reader left.
struct RoomStateView {
    private let base: RoomBase?
    private let past: [StateKey: EventNID]

    init(base: RoomBase) {
        self.base = base
        past = [:]
    }

    init(past: [StateKey: EventNID]) {
        base = nil
        self.past = past
    }

    /// The room now; nil for the past.
    var snapshot: RoomSnapshot? { base?.snapshot }

    func holder(_ key: StateKey) -> EventNID? {
        base.map { $0.snapshot.entry(key)?.nid } ?? past[key]
    }

    /// What is wanted whatever the timeline shows. Only wildcards cost a walk over the state, and one over members only where they may be
    /// meant.
    func selected(by required: RequiredState, for viewer: UserID) -> [StateKey: EventNID] {
        var found: [StateKey: EventNID] = [:]
        for key in required.named(for: viewer) { found[key] = holder(key) }
        guard required.needsWalk else { return found }
        if let base {
            if required.wantsAnyMember {
                for (key, entry) in base.snapshot.state where required.selects(key, for: viewer) { found[key] = entry.nid }
            } else {
                for (key, event) in base.withoutMembers where required.selects(key, for: viewer) { found[key] = event }
            }
        } else {
            for (key, event) in past where required.selects(key, for: viewer) { found[key] = event }
        }
        return found
    }
}

extension SlidingReader {
    // MARK: What a room is called

    /// Adds name, avatar, heroes and counts, as far as they are news.
    func describe(
        _ room: inout SlidingRoom, _ view: RoomStateView, _ changed: [StateKey: EventNID], _ reading: RoomReading
    ) async throws {
        let membersChanged = room.isInitial || changed.keys.contains { $0.type == StateKey.memberType }
        if room.isInitial || changed[.name] != nil { room.name = try await text("name", of: .name, in: view) }
        if room.isInitial || changed[.avatar] != nil { room.avatar = try await text("url", of: .avatar, in: view) }
        guard membersChanged, let snapshot = view.snapshot else { return }
        room.joinedCount = snapshot.joinedCount
        room.invitedCount = snapshot.invitedCount
        let name: String?
        if let known = room.name { name = known } else { name = try await text("name", of: .name, in: view) }
        if name == nil { room.heroes = try await heroes(snapshot) }
    }

    /// A text of the content of a state event; nil where it is empty.
    func text(_ property: String, of key: StateKey, in view: RoomStateView) async throws -> String? {
        guard let holder = view.holder(key), let text = try await events.event(holder)?.contentIfReadable?[property]?.string
        else { return nil }
        return text.isEmpty ? nil : text
    }

    private func heroes(_ snapshot: RoomSnapshot) async throws -> [SlidingRoom.Hero] {
        let users = snapshot.heroes(for: request.user)
        let holders = users.compactMap { snapshot.entry(.member($0))?.nid }
        return try await events.events(holders).map { event in
            let content = event.contentIfReadable
            return SlidingRoom.Hero(
                user: UserID(trusted: event.stateKey?.string ?? ""), displayName: content?["displayname"]?.string,
                avatarURL: content?["avatar_url"]?.string)
        }
    }

    // MARK: Required state

    /// The state events that the client wants and has not got, oldest first; notes them in `next`.
    func requiredState(
        _ view: RoomStateView, _ changed: [StateKey: EventNID], _ next: inout SentRoom, _ reading: RoomReading, _ timeline: TimelineWindow?
    ) async throws -> [TimelineEvent] {
        let required = reading.config.required
        let isLazy = required.loadsMembersLazily
        var chosen: [StateKey: EventNID] = [:]
        if reading.isInitial {
            next.members = []
            chosen = view.selected(by: required, for: request.user)
        } else {
            let step = RequiredStateChange(from: next.config.required, to: required, changed: changed.keys, for: request.user)
            chosen = view.selected(by: step.added, for: request.user).filter { required.selects($0.key, for: request.user) }
            let showsAllMembers = isLazy && timeline?.isLimited != true
            for (key, event) in changed
            where required.selects(key, for: request.user) || (showsAllMembers && key.type == StateKey.memberType) {
                chosen[key] = event
            }
            if let effective = step.effective {
                next.config = RoomConfig(
                    timelineLimit: next.config.timelineLimit, required: engine.connections.requiredStates.shared(effective))
            }
        }
        if isLazy, let timeline {
            for member in SlidingReader.members(of: timeline) {
                let key = StateKey(type: StateKey.memberType, stateKey: member)
                guard chosen[key] == nil, let holder = view.holder(key), !next.members.contains(holder) else { continue }
                // Who is asked for by name was sent, and every change since.
                if !reading.isInitial, required.selects(key, for: request.user) { continue }
                chosen[key] = holder
            }
        }
        guard !chosen.isEmpty else { return [] }
        let found = try await events.events(chosen.values.sorted())
        next.note(members: found.filter { $0.membership != nil }.suffix(SentRoom.memberLimit).map(\.nid))
        return found
    }

    /// Those whom a client has to know to show a timeline.
    private static func members(of timeline: TimelineWindow) -> Set<ByteString> {
        var members: Set<ByteString> = []
        for event in timeline.events {
            members.insert(event.sender.text)
            if event.membership != nil, let member = event.stateKey { members.insert(member) }
        }
        return members
    }
}
