// What is unread in the rooms of a response. Client-Server API §Receiving notifications.

import MatrixCore
import Persistence
import Rooms

extension SyncReader {
    /// Adds the counts to the joined rooms.
    func readUnread(_ answer: inout SyncAnswer) async throws {
        guard !answer.joined.isEmpty else { return }
        let scopes = Dictionary(scope.rooms.map { ($0.room.nid, $0) }) { first, _ in first }
        let questions = answer.joined.compactMap { room in scopes[room.nid].map { question(about: room, $0) } }
        let counts = try await engine.unread.counts(
            questions, of: request.user, ignoring: scope.ignoredUsers, upTo: upTo, since: since)
        for index in answer.joined.indices { answer.joined[index].unread = counts[answer.joined[index].nid] ?? RoomUnread() }
    }

    /// The events that the response has looked at anyway need not be read again.
    private func question(about room: RoomAnswer, _ scope: RoomScope) -> UnreadService.Question {
        var question = UnreadService.Question(scope.room, newest: min(scope.newest, upTo))
        question.known = room.timeline.passed
        question.floor = room.timeline.start
        if room.timeline.start >= upTo {
            // No timeline was looked at.
            question.known = scope.timeline.events.filter { $0.position <= upTo }
            question.floor = scope.timeline.floor
        }
        return question
    }
}
