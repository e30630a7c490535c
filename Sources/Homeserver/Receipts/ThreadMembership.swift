// Whether an event belongs to a thread. Client-Server API §Threaded read receipts.

import MatrixCore
import Rooms

/// Follows the relations of an event upwards.
enum ThreadMembership {
    /// The thread of events that are in no thread, and of thread roots.
    static let main: ByteString = "main"

    /// How many relations are followed: an annotation of an edit of a threaded message needs three.
    private static let depthLimit = 5

    /// Whether a receipt for `thread` may stand at `event`: for `main`, when neither the event nor what it relates to is in a
    /// thread; for a thread's root, when one of them is in that thread or is the root itself.
    static func allows(_ thread: ByteString, at event: TimelineEvent, in events: EventReader) async throws -> Bool {
        var current = event
        for _ in 0..<depthLimit {
            guard let relation = relation(of: current) else { break }
            if relation.isThread { return thread == relation.target.text }
            if thread == relation.target.text { return true }
            guard let next = try await events.event(relation.target, in: event.roomID) else { break }
            current = next
        }
        return thread == main || thread == event.id.text
    }

    private static func relation(of event: TimelineEvent) -> (isThread: Bool, target: EventID)? {
        // An event whose content cannot be read relates to nothing.
        guard let relatesTo = (try? event.content())?["m.relates_to"], let type = relatesTo["rel_type"], type.isString,
            let id = relatesTo["event_id"]?.string, let target = try? EventID(parsing: id)
        else { return nil }
        return (type.isString("m.thread"), target)
    }
}
