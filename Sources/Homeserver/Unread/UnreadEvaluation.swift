// What events do to one user's unread counts: their push rules, tried on the events. Client-Server API §Push Rules.

import MatrixCore
import Persistence
import Rooms
import Synchronization

/// Events that were parsed lately: what is said in a room is tried on the rules of all who read it.
final class ParsedEvents: Sendable {
    private let events = Mutex(RecentCache<EventNID, JSON>(capacity: 128))

    /// nil for an event that cannot be read.
    func json(of event: TimelineEvent) -> JSON? {
        if let known = events.withLock({ $0.value(for: event.nid) }) { return known }
        guard let json = try? JSONDocument(parsing: event.clientJSON + [UInt8(ascii: "}")], limits: .lenientEvent).root else { return nil }
        events.withLock { $0.insert(json, for: event.nid) }
        return json
    }
}

/// Which threads of some events a user follows. MSC4306.
struct FollowedThreads: Sendable {
    /// nil where no rule asks.
    fileprivate var roots: Set<EventID>?

    /// Whether the user follows the thread of `event`; nil where it is in none, or no rule asks.
    fileprivate func contains(threadOf event: TimelineEvent) -> Bool? {
        guard let roots, let root = event.thread else { return nil }
        return roots.contains(root)
    }
}

/// Everything that one user's rules are tried by.
struct UnreadEvaluation: Sendable {
    let user: UserID
    let rules: PushRuleset
    let ignoredUsers: Set<UserID>
    let room: RoomSnapshot
    /// The user's in the room, where a rule asks for it.
    let displayName: String?
    let database: any Database
    let events: EventReader
    let parsed: ParsedEvents

    /// Member count, power levels, display name and followed threads are those of now: events are looked at when the user comes to ask
    /// for them.
    init(
        user: UserID, rules: PushRuleset, ignoredUsers: Set<UserID>, room: RoomSnapshot, database: any Database, events: EventReader,
        parsed: ParsedEvents
    ) async throws {
        self.user = user
        self.rules = rules
        self.ignoredUsers = ignoredUsers
        self.room = room
        self.database = database
        self.events = events
        self.parsed = parsed
        var displayName: String?
        if rules.usesDisplayName, let entry = room.entry(.member(user)), let member = try await events.event(entry.nid) {
            displayName = ((try? member.content()) ?? nil)?["displayname"]?.string
        }
        self.displayName = displayName
    }

    /// The steps that events stand for, in their order. Most events are none.
    func steps(of timeline: some Sequence<TimelineEvent>) async throws -> [UnreadTally.Step] {
        let followed = try await followedThreads(in: timeline)
        var steps: [UnreadTally.Step] = []
        for event in timeline {
            if let step = try await step(of: event, followed) { steps.append(step) }
        }
        return steps
    }

    /// Which of the threads in which others spoke the user follows: one read, and none where nobody did.
    func followedThreads(in timeline: some Sequence<TimelineEvent>) async throws -> FollowedThreads {
        guard rules.usesThreadSubscriptions else { return FollowedThreads() }
        var roots: Set<EventID> = []
        for event in timeline where event.sender != user {
            if let root = event.thread { roots.insert(root) }
        }
        guard !roots.isEmpty else { return FollowedThreads() }
        let (user, room, threads) = (user, room.roomID, roots)
        return FollowedThreads(
            roots: try await database.read { try ThreadSubscriptionStore.subscribed(user, to: threads, in: room, on: $0) })
    }

    private func step(of event: TimelineEvent, _ followed: FollowedThreads) async throws -> UnreadTally.Step? {
        if event.stateKey == user.text, let membership = event.membership, membership != event.previousMembership {
            return .begin(event.position)
        }
        if event.sender == user {
            // A change of the profile is sent by the server, into rooms that nobody looked at.
            if event.membership != nil { return nil }
            return .read(event.position, thread: ThreadMembership.thread(of: event))
        }
        if let target = event.redacts {
            return try await events.event(target, in: event.roomID).map { .redact($0.position) }
        }
        guard event.redaction == nil, !ignoredUsers.contains(event.sender) else { return nil }
        let outcome = outcome(of: event, followed)
        guard outcome.notifies else { return nil }
        return .notify(event.position, thread: ThreadMembership.thread(of: event), highlights: outcome.highlights)
    }

    /// What the rules say about an event. One that cannot be read notifies nobody.
    func outcome(of event: TimelineEvent, _ followed: FollowedThreads) -> PushOutcome {
        guard let json = parsed.json(of: event) else { return .nothing }
        let pushEvent = PushEvent(
            json: json, id: event.id, roomID: event.roomID, type: event.type, stateKey: event.stateKey, sender: event.sender,
            memberCount: room.joinedCount, powerLevels: room.powerLevels)
        return rules.evaluate(
            pushEvent, for: user, displayName: displayName, followsThread: followed.contains(threadOf: event))
    }
}
