// What of an event's relations goes into its `unsigned`. Client-Server API §Aggregations of child events.

import MatrixCore
import Persistence

/// The `m.relations` of one event for one reader.
package struct BundledAggregations: Sendable {
    /// The newest valid replacement.
    package var edit: TimelineEvent?
    package var thread: Thread?
    /// The events that refer to this one.
    package var references: [EventID] = []

    package struct Thread: Sendable {
        package var latest: TimelineEvent
        /// The newest replacement of the latest reply, and what refers to it.
        package var ofLatest: Nested?
        package let replyCount: Int
        /// Whether the reader sent the root or a reply.
        package let hasParticipated: Bool
    }

    /// What relates to the latest reply of a thread. There are no threads in threads.
    package struct Nested: Sendable {
        package var edit: TimelineEvent?
        package var references: [EventID] = []
    }

    package var isEmpty: Bool { edit == nil && thread == nil && references.isEmpty }

    /// The events of which the content is told.
    var events: [TimelineEvent] { [edit, thread?.latest, thread?.ofLatest?.edit].compactMap { $0 } }

    /// Leaves out the events that the reader may not see.
    mutating func keep(where mayBeSeen: (TimelineEvent) -> Bool) {
        if let edit, !mayBeSeen(edit) { self.edit = nil }
        if let latest = thread?.latest, !mayBeSeen(latest) { thread = nil }
        if let edit = thread?.ofLatest?.edit, !mayBeSeen(edit) { thread?.ofLatest?.edit = nil }
    }

    /// Writes the member `m.relations`.
    package func write(to unsigned: inout JSONWriter, includeRoomID: Bool, for viewer: EventViewer?, now: Timestamp) {
        unsigned.member(
            "m.relations",
            object: { relations in
                if let edit { BundledAggregations.write(edit: edit, to: &relations, includeRoomID, viewer, now) }
                if let thread {
                    relations.member(
                        "m.thread",
                        object: { writer in
                            writer.key("latest_event")
                            let nested = thread.ofLatest
                            thread.latest.write(
                                to: &writer, includeRoomID: includeRoomID, for: viewer, now: now,
                                unsigned: nested == nil
                                    ? nil
                                    : { unsigned in
                                        unsigned.member(
                                            "m.relations",
                                            object: { relations in
                                                if let edit = nested?.edit {
                                                    BundledAggregations.write(edit: edit, to: &relations, includeRoomID, viewer, now)
                                                }
                                                BundledAggregations.write(references: nested?.references ?? [], to: &relations)
                                            })
                                    })
                            writer.member("count", thread.replyCount)
                            writer.member("current_user_participated", thread.hasParticipated)
                        })
                }
                BundledAggregations.write(references: references, to: &relations)
            })
    }

    private static func write(
        edit: TimelineEvent, to relations: inout JSONWriter, _ includeRoomID: Bool, _ viewer: EventViewer?, _ now: Timestamp
    ) {
        relations.key("m.replace")
        edit.write(to: &relations, includeRoomID: includeRoomID, for: viewer, now: now)
    }

    private static func write(references: [EventID], to relations: inout JSONWriter) {
        guard !references.isEmpty else { return }
        relations.member(
            "m.reference",
            object: { writer in
                writer.member("chunk", array: { chunk in for id in references { chunk.object { $0.member("event_id", id) } } })
            })
    }
}
