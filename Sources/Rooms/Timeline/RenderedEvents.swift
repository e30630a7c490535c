// Events rendered once for many readers.

import MatrixCore

/// Events as all see them who may see them, `room_id` included, but for the ages, which are as of when they are told.
package struct RenderedEvents: Sendable {
    /// The elements of the list, without the numbers of the ages.
    private let json: [UInt8]
    /// Where the ages belong, in the order of the text, and since when they count.
    private let ages: [(offset: Int, since: Timestamp)]

    package init(_ events: [TimelineEvent]) {
        var writer = JSONWriter(capacity: events.count * 500)
        var ages: [(offset: Int, since: Timestamp)] = []
        ages.reserveCapacity(events.count)
        for event in events {
            event.write(to: &writer, includeRoomID: true, for: nil) { writer, time in
                writer.member("age", raw: [])
                ages.append((writer.bytes.count, time))
            }
        }
        json = writer.bytes
        self.ages = ages
    }

    /// Writes the list, one JSON value.
    package func write(to writer: inout JSONWriter, now: Timestamp) {
        writer.array { writer in
            var written = 0
            for age in ages {
                writer.bytes.append(contentsOf: json[written..<age.offset])
                JSONNumber.append(now.milliseconds(since: age.since), to: &writer.bytes)
                written = age.offset
            }
            writer.bytes.append(contentsOf: json[written...])
        }
    }

    /// About how many bytes it is when it is written: an age has 13 digits at most for 300 years.
    package var writtenSize: Int { json.count + 13 * ages.count + 2 }

    /// How many bytes it holds in memory.
    package var cost: Int { json.count + 16 * ages.count + 200 }
}
