// Reads what relates to events: at most one look into the database for a page, and none for events that memory knows.

import MatrixCore
import Persistence

extension EventReader {
    /// How many events that refer to one are told with it; the others are found by `/relations`.
    private static let referenceLimit = 1000
    /// How many people of a thread are kept in memory.
    private static let participantLimit = 200

    /// The root of the thread that an event belongs to, by itself or through what it relates to; nil for one in no thread, also for
    /// the root itself. For a `TimelineEvent` it is at hand: `TimelineEvent.thread`.
    package func thread(of event: EventNID) async throws -> EventID? {
        try await database.read { try RelationStore.thread(of: event, on: $0) }
    }

    /// Those of a room's events that pass a filter as far as it goes by what relates to them; nil for a filter that does not.
    package func related(_ candidates: [TimelineEvent], by filter: RoomEventFilter) async throws -> Set<EventID>? {
        guard filter.asksForRelations else { return nil }
        guard let room = candidates.first?.roomNID else { return [] }
        let (types, senders) = (Array(filter.relatedByTypes ?? []), Array(filter.relatedBySenders ?? []))
        return Set(
            try await database.read { connection in
                try RelationStore.related(candidates.map(\.id), in: room, byTypes: types, bySenders: senders, on: connection)
            })
    }

    /// What is bundled with each of `events` for a reader. Events to which nothing relates are left out, which are nearly all.
    ///
    /// - Parameters:
    ///   - ignoring: the users whom the reader ignores: their events are not counted.
    ///   - end: what came after it the reader does not see; nil where there is no such bound.
    package func aggregations(
        of events: [TimelineEvent], for viewer: UserID, ignoring ignored: Set<UserID>, upTo end: StreamPosition? = nil
    ) async throws -> [EventNID: BundledAggregations] {
        let found = try await relations(of: events)
        guard !found.isEmpty else { return [:] }
        let children = try await self.events(
            found.flatMap { [$0.1.edit, $0.1.thread?.latest].compactMap { $0 } }
        ).reduce(into: [:]) { $0[$1.nid] = $1 }
        let bundler = Bundler(reader: self, viewer: viewer, ignored: ignored, end: end, children: children)
        var bundles: [EventNID: BundledAggregations] = [:]
        for (event, aggregation) in found {
            let bundle = try await bundler.bundle(aggregation, of: event)
            if !bundle.isEmpty { bundles[event.nid] = bundle }
        }
        return bundles
    }

    /// What relates to the events, of those to which something does.
    fileprivate func relations(of events: [TimelineEvent]) async throws -> [(TimelineEvent, Aggregation)] {
        var found: [(TimelineEvent, Aggregation)] = []
        var missing: [TimelineEvent] = []
        for event in events where !event.isState {
            if let known = aggregations[event.id] {
                if !known.isEmpty { found.append((event, known)) }
            } else {
                missing.append(event)
            }
        }
        guard !missing.isEmpty else { return found }
        let generation = aggregations.generation
        let (asked, limits) = (missing, (EventReader.referenceLimit, EventReader.participantLimit))
        let read = try await database.read { connection in
            try Aggregation.read(asked, referenceLimit: limits.0, participantLimit: limits.1, on: connection)
        }
        for event in missing {
            let value = read[event.nid] ?? Aggregation()
            aggregations.insert(value, for: event.id, generation: generation)
            if !value.isEmpty { found.append((event, value)) }
        }
        return found
    }
}

extension Aggregation {
    fileprivate static func read(
        _ events: [TimelineEvent], referenceLimit: Int, participantLimit: Int, on connection: any SQLConnection
    ) throws -> [EventNID: Aggregation] {
        var byNumber: [EventNID: TimelineEvent] = [:]
        for event in events { byNumber[event.nid] = event }
        var read: [EventNID: Aggregation] = [:]
        for row in try RelationStore.aggregations(Array(byNumber.keys), on: connection) {
            guard let event = byNumber[row.event], row.edit != nil || row.thread != nil || row.hasReferences else { continue }
            var value = Aggregation(edit: row.edit)
            if let thread = row.thread {
                let participants = try RelationStore.participants(in: event.id, event.roomNID, limit: participantLimit + 1, on: connection)
                value.thread = Thread(
                    replyCount: thread.replyCount, latest: thread.latest,
                    participants: participants.count <= participantLimit ? participants : nil)
            }
            if row.hasReferences {
                value.references = try RelationStore.references(to: event.id, in: event.roomNID, limit: referenceLimit, on: connection)
                    .map { Reference(event: $0.event, sender: $0.sender) }
            }
            read[row.event] = value
        }
        return read
    }
}

/// Makes of what relates to events what one reader gets of it.
private struct Bundler {
    let reader: EventReader
    let viewer: UserID
    let ignored: Set<UserID>
    let end: StreamPosition?
    let children: [EventNID: TimelineEvent]

    func bundle(_ aggregation: Aggregation, of event: TimelineEvent) async throws -> BundledAggregations {
        var bundle = BundledAggregations()
        bundle.edit = edit(aggregation, of: event)
        bundle.references = references(aggregation)
        if let thread = aggregation.thread { bundle.thread = try await self.thread(thread, on: event) }
        return bundle
    }

    /// What stood in the place of a redacted event would tell what was redacted.
    private func edit(_ aggregation: Aggregation, of event: TimelineEvent) -> TimelineEvent? {
        guard event.redactedBy == nil else { return nil }
        return aggregation.edit.flatMap { children[$0] }.flatMap { isSeen($0) ? $0 : nil }
    }

    private func references(_ aggregation: Aggregation) -> [EventID] {
        aggregation.references.filter { !ignored.contains($0.sender) }.map(\.event)
    }

    private func isSeen(_ event: TimelineEvent) -> Bool { end.map { event.position <= $0 } ?? true }

    private func thread(_ thread: Aggregation.Thread, on root: TimelineEvent) async throws -> BundledAggregations.Thread? {
        var latest = children[thread.latest]
        var count = thread.replyCount
        if !ignored.isEmpty {
            count -= try await replies(by: Array(ignored), in: thread, on: root).values.reduce(0, +)
            if let sender = latest?.sender, ignored.contains(sender) { latest = try await latestReply(on: root) }
        }
        guard let latest, count > 0, isSeen(latest) else { return nil }
        var hasParticipated = root.sender == viewer
        if !hasParticipated { hasParticipated = try await !replies(by: [viewer], in: thread, on: root).isEmpty }
        var bundled = BundledAggregations.Thread(latest: latest, replyCount: count, hasParticipated: hasParticipated)
        bundled.ofLatest = try await nested(in: latest)
        return bundled
    }

    /// How often these users replied; those who did not are left out.
    private func replies(by users: [UserID], in thread: Aggregation.Thread, on root: TimelineEvent) async throws -> [UserID: Int] {
        if let participants = thread.participants {
            return users.reduce(into: [:]) { counts, user in counts[user] = participants[user] }
        }
        return try await reader.database.read { try RelationStore.replyCounts(of: users, in: root.id, root.roomNID, on: $0) }
    }

    private func latestReply(on root: TimelineEvent) async throws -> TimelineEvent? {
        let users = Array(ignored)
        let nid = try await reader.database.read { try RelationStore.latestReply(in: root.id, root.roomNID, notBy: users, on: $0) }
        guard let nid else { return nil }
        return try await reader.event(nid)
    }

    private func nested(in latest: TimelineEvent) async throws -> BundledAggregations.Nested? {
        guard let aggregation = try await reader.relations(of: [latest]).first?.1 else { return nil }
        var nested = BundledAggregations.Nested(references: references(aggregation))
        if latest.redactedBy == nil, let nid = aggregation.edit, let edit = try await reader.event(nid), isSeen(edit) { nested.edit = edit }
        return nested.edit == nil && nested.references.isEmpty ? nil : nested
    }
}
