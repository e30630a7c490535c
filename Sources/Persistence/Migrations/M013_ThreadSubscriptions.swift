// Migration 13: threads that people follow.

extension Migration {
    /// MSC4306: who follows which threads, and who has ceased to.
    package static let threadSubscriptions = Migration(number: 13, name: "thread subscriptions") { _ in
        [
            // `unsubscribed_at`: the newest position when the user unsubscribed; NULL while subscribed. What happened until then does not
            // subscribe them again by itself.
            """
            CREATE TABLE thread_subscriptions (
                user_id TEXT NOT NULL,
                room_id TEXT NOT NULL,
                root_id TEXT NOT NULL,
                automatic BOOLEAN NOT NULL,
                unsubscribed_at BIGINT,
                position BIGINT NOT NULL,
                PRIMARY KEY (user_id, room_id, root_id)
            )
            """,
            "CREATE INDEX thread_subscriptions_position ON thread_subscriptions (user_id, position)",
        ]
    }
}
