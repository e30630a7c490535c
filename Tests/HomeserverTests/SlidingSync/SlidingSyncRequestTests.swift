import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Sliding sync: requests")
struct SlidingSyncRequestTests {
    private func read(_ body: String) throws -> SlidingSyncRequest {
        var request = SlidingSyncRequest(user: UserID(trusted: "@alice:example.org"), device: nil)
        try request.read(JSONDocument(parsing: Array(body.utf8)).root, RequiredStateTable())
        return request
    }

    @Test("a whole request is read")
    func whole() throws {
        let request = try read(
            #"""
            {"conn_id": "rooms",
             "lists": {"b": {"ranges": [[0, 19], [40, 41]], "required_state": [["m.room.name", ""], ["m.room.member", "$LAZY"]],
                             "timeline_limit": 5, "filters": {"is_dm": true, "room_types": [null, "m.space"], "not_tags": ["m.lowpriority"]}},
                       "a": {"required_state": [], "timeline_limit": 0}},
             "room_subscriptions": {"!den:example.org": {"required_state": [["*", "*"]], "timeline_limit": 20}},
             "extensions": {"to_device": {"enabled": true, "limit": 5000, "since": "17"}, "e2ee": {"enabled": true},
                            "receipts": {"enabled": true, "lists": ["b"], "rooms": []}, "typing": {"enabled": false},
                            "account_data": {"enabled": true}, "unheard.of": {"enabled": true},
                            "io.element.msc4308.thread_subscriptions": {"enabled": true, "limit": 7}}}
            """#)
        #expect(request.connection == "rooms")
        #expect(request.lists.map(\.key) == ["a", "b"])
        #expect(request.lists[1].ranges == [ListRange(first: 0, last: 19), ListRange(first: 40, last: 41)])
        #expect(request.lists[1].config.timelineLimit == 5)
        #expect(request.lists[1].config.required.loadsMembersLazily)
        #expect(request.lists[1].filter.isDirect == true)
        #expect(request.lists[1].filter.roomTypes == [nil, "m.space"])
        #expect(request.subscriptions[RoomID(trusted: "!den:example.org")]?.required.isEverything == true)
        #expect(request.extensions.toDevice == SlidingExtensions.ToDevice(limit: 100, since: StreamPosition(17)))
        #expect(request.extensions.wantsEndToEnd)
        #expect(request.extensions.receipts?.lists == ["b"])
        #expect(request.extensions.receipts?.allRooms == false)
        #expect(request.extensions.typing == nil)
        #expect(request.extensions.accountData?.allLists == true)
        #expect(request.extensions.accountData?.allRooms == true)
        #expect(request.extensions.threadSubscriptionLimit == 7)
    }

    @Test(
        "what is malformed or beyond a limit is refused",
        arguments: [
            #"{"lists": []}"#, #"{"lists": {"a": 1}}"#, #"{"lists": {"a": {"required_state": []}}}"#,
            #"{"lists": {"a": {"timeline_limit": 1}}}"#, #"{"lists": {"a": {"required_state": [], "timeline_limit": 1001}}}"#,
            #"{"lists": {"a": {"required_state": [], "timeline_limit": "1"}}}"#,
            #"{"lists": {"a": {"required_state": [["x"]], "timeline_limit": 1}}}"#,
            #"{"lists": {"a": {"required_state": [], "timeline_limit": 1, "ranges": [[0, -1]]}}}"#,
            #"{"lists": {"a": {"required_state": [], "timeline_limit": 1, "ranges": [[0]]}}}"#,
            #"{"lists": {"a": {"required_state": [], "timeline_limit": 1, "filters": {"is_dm": "yes"}}}}"#,
            #"{"lists": {"a": {"required_state": [], "timeline_limit": 1, "filters": {"spaces": "!a:b"}}}}"#,
            #"{"lists": {"a": {"required_state": [], "timeline_limit": 1, "filters": {"room_name_like": "a"}}}}"#,
            #"{"extensions": {"to_device": {"enabled": true, "since": "x"}}}"#, #"{"conn_id": 1}"#,
        ])
    func refused(body: String) {
        #expect(throws: MatrixError.self) { try read(body) }
    }

    @Test("more than a hundred lists are refused")
    func manyLists() throws {
        func lists(_ count: Int) -> String {
            let list = #"{"required_state": [], "timeline_limit": 1}"#
            return #"{"lists": {"# + (0..<count).map { "\"l\($0)\": \(list)" }.joined(separator: ",") + "}}"
        }
        #expect(try read(lists(100)).lists.count == 100)
        #expect(throws: MatrixError.self) { try read(lists(101)) }
    }

    @Test("a position is written and read; other texts are refused")
    func positions() throws {
        let position = SlidingSyncPosition(connection: 17, number: 3, stream: StreamPosition(99))
        #expect(position.text == "17-3/s99")
        #expect(try SlidingSyncPosition(parsing: position.text) == position)
        let malformed = [
            "", "17", "s99", "17-3", "17-3/", "17-3/99", "-3/s99", "17-/s99", "17-3-1/s99", "17--3/s99", "99999999999999999999-1/s1",
        ]
        for text in malformed {
            #expect(throws: MatrixError.self) { try SlidingSyncPosition(parsing: text) }
        }
    }
}
