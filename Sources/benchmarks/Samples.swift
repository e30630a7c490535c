// What the benchmarks work on: a message as it goes between servers, and a sync response.

import MatrixCore

enum Sample {
    static let alice = UserID(trusted: "@alice:example.org")
    static let server = ServerName(trusted: "example.org")
    static let room = RoomID(trusted: "!IoyqvKSqyQfUsUWzVc:example.org")
    static let key = SigningKey.generate(version: "a_bench")
    static let time = Timestamp(milliseconds: 1_700_000_000_000)

    private static let content = """
        {"body":"Hello there, this is a message of ordinary length, nothing more.","format":"org.matrix.custom.html",\
        "formatted_body":"<b>Hello</b> there","m.mentions":{},"msgtype":"m.text"}
        """

    /// A message with one earlier and three auth events: about 700 bytes between servers.
    static func message() throws -> Event {
        try message(after: [anEventID("a")], authEvents: ["b", "c", "d"].map(anEventID))
    }

    static func message(after previous: [EventID], authEvents: [EventID]) throws -> Event {
        try .build(
            EventDraft(type: "m.room.message", content: Array(content.utf8), sender: alice), roomID: room, version: .v11,
            prevEvents: previous, authEvents: authEvents, depth: 3, originServerTimestamp: time, origin: server, key: key)
    }

    private static func anEventID(_ letter: String) -> EventID { EventID(trusted: "$" + String(repeating: letter, count: 43)) }

    /// The answer to an initial sync, about a megabyte: 40 rooms of 20 state events and 40 messages.
    static func syncResponse() -> [UInt8] {
        var writer = JSONWriter(capacity: 1 << 21)
        writer.object { writer in
            writer.member("next_batch", "s1234567_89_0_1")
            writer.member(
                "rooms",
                object: { writer in
                    writer.member(
                        "join",
                        object: { writer in
                            for room in 0..<40 { writer.member("!room\(room):example.org", object: { joinedRoom(room, &$0) }) }
                        })
                })
        }
        return writer.bytes
    }

    private static func joinedRoom(_ room: Int, _ writer: inout JSONWriter) {
        writer.member(
            "state",
            object: { writer in
                writer.member(
                    "events",
                    array: { writer in
                        for number in 0..<20 {
                            let user = "@user\(number):example.org"
                            writer.object { writer in
                                writer.member(
                                    "content",
                                    [
                                        "displayname": .string("Zoë Müller \(number)"), "membership": "join",
                                        "avatar_url": "mxc://example.org/abcdef",
                                    ] as JSONValue)
                                common("m.room.member", user, room * 100 + number, &writer)
                                writer.member("state_key", user)
                            }
                        }
                    })
            })
        writer.member(
            "timeline",
            object: { writer in
                writer.member(
                    "events",
                    array: { writer in
                        for number in 0..<40 {
                            writer.object { writer in
                                writer.member("content", raw: content.utf8)
                                common("m.room.message", "@user\(number % 20):example.org", room * 100 + number, &writer)
                                writer.member("unsigned", ["age": 12_345, "transaction_id": .string("m1700000000.\(number)")] as JSONValue)
                            }
                        }
                    })
                writer.member("limited", true)
                writer.member("prev_batch", "t\(room)-1234567")
            })
        writer.member("unread_notifications", ["highlight_count": 0, "notification_count": .int(Int64(room))] as JSONValue)
    }

    private static func common(_ type: String, _ sender: String, _ number: Int, _ writer: inout JSONWriter) {
        writer.member("event_id", "$\(1_000_000 + number)hT9mXGsw0yYxKf2bq1uN3vZ5cD7eR8iLkPoM")
        writer.member("origin_server_ts", 1_700_000_000_000 + number)
        writer.member("sender", sender)
        writer.member("type", type)
    }
}
