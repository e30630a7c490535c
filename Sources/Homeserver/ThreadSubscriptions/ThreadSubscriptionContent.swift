// Changes of thread subscriptions as clients read them. MSC4308.

import MatrixCore
import Persistence

package enum ThreadSubscriptionContent {
    /// Writes `subscribed` and `unsubscribed`, each a map of rooms to maps of thread roots; what would be empty is left out.
    package static func write(_ rows: [ThreadSubscriptionRow], to body: inout JSONWriter) {
        for (name, isSubscribed) in [("subscribed", true), ("unsubscribed", false)] {
            let matching = rows.filter { row in
                if case .subscribed = row.subscription { isSubscribed } else { !isSubscribed }
            }
            guard !matching.isEmpty else { continue }
            body.member(
                name,
                object: { rooms in
                    for (room, threads) in Dictionary(grouping: matching, by: \.room).sorted(by: { $0.key < $1.key }) {
                        rooms.member(room.string, object: { roots in for thread in threads { write(thread, to: &roots) } })
                    }
                })
        }
    }

    private static func write(_ row: ThreadSubscriptionRow, to roots: inout JSONWriter) {
        roots.member(
            row.root.string,
            object: { entry in
                if case .subscribed(let automatic) = row.subscription { entry.member("automatic", automatic) }
                entry.member("bump_stamp", row.position.value)
            })
    }
}
