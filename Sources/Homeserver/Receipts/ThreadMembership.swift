// Whether an event belongs to a thread. Client-Server API §Threaded read receipts, §Marking notifications as read.

import MatrixCore
import Rooms

/// Names threads as receipts do: by the id of the root, or `main`.
enum ThreadMembership {
    /// The thread of events that are in no thread, and of thread roots.
    static let main: ByteString = "main"

    /// Whether a receipt for `thread` may stand at `event`: for `main`, when the event is in no thread; for a thread's root, when it is in
    /// that thread, is the root itself, or is attached to it.
    static func allows(_ thread: ByteString, at event: TimelineEvent) -> Bool {
        if thread == self.thread(of: event) { return true }
        return event.thread == nil && (thread == event.id.text || thread == event.relation?.target.text)
    }

    /// The thread whose notifications an event is among.
    static func thread(of event: TimelineEvent) -> ByteString { event.thread?.text ?? main }
}
