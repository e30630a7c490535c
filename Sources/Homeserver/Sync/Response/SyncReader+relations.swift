// What relates to the events of a response, and what is hidden of them. Client-Server API §Aggregations of child events.

import MatrixCore
import Persistence
import Rooms

extension SyncReader {
    /// Finds out for all timelines at once what relates to their events. New events have nothing yet, which memory knows.
    func readAggregations(_ answer: inout SyncAnswer) async throws {
        guard filter.filter.eventFormat == .client else { return }
        let joined = answer.joined.flatMap(\.timeline.events)
        if !joined.isEmpty {
            let found = try await events.aggregations(of: joined, for: request.user, ignoring: scope.ignoredUsers)
            if !found.isEmpty {
                for index in answer.joined.indices {
                    guard try await add(found, of: answer.joined[index], to: &answer) else { continue }
                    answer.joined[index].isShareable = false
                }
            }
        }
        for room in answer.left where !room.timeline.events.isEmpty {
            let found = try await events.aggregations(
                of: room.timeline.events, for: request.user, ignoring: scope.ignoredUsers, upTo: room.timeline.events.last?.position)
            if !found.isEmpty { _ = try await add(found, of: room, to: &answer) }
        }
    }

    /// Adds what the reader may see of what relates to the events of one room.
    ///
    /// - Returns: whether there is something.
    private func add(_ found: [EventNID: BundledAggregations], of room: RoomAnswer, to answer: inout SyncAnswer) async throws -> Bool {
        var own: [EventNID: BundledAggregations] = [:]
        for event in room.timeline.events { own[event.nid] = found[event.nid] }
        guard !own.isEmpty else { return false }
        own = try await visible(own, in: room.room)
        answer.aggregations.merge(own) { _, new in new }
        return !own.isEmpty
    }

    /// What the reader may see of what relates to events of a room.
    func visible(_ found: [EventNID: BundledAggregations], in room: RoomID) async throws -> [EventNID: BundledAggregations] {
        let history = RoomHistory(rooms: engine.rooms, events: events, retention: engine.retention)
        do {
            let view = try await history.view(of: room, for: request.user, ignoring: scope.ignoredUsers)
            return try await history.restricted(found, in: view)
        } catch let error as MatrixError where error.status == 403 {
            return [:]
        }
    }

    /// Takes away what erased users said to those who were not in the room at the time.
    func hideErased(in answer: inout RoomAnswer, _ room: RoomScope) async throws {
        guard !answer.timeline.memberships.isEmpty else { return }
        let erased = try await events.erasedUsers.all()
        guard !erased.isEmpty else { return }
        for index in answer.timeline.events.indices where answer.timeline.memberships[index] != .join {
            let event = answer.timeline.events[index]
            guard erased.contains(event.sender) else { continue }
            let version = try await engine.rooms.existing(room.room.room).version
            answer.timeline.events[index] = event.withoutContent(version.redactionRules)
        }
    }
}
