import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Content of m.receipt")
struct ReceiptContentTests {
    private func receipt(
        _ event: String, _ user: String, _ time: Int64, type: ByteString = "m.read", thread: ByteString = ""
    ) -> (key: ReceiptKey, mark: ReceiptMark) {
        (
            ReceiptKey(user: UserID(trusted: user), type: type, thread: thread),
            ReceiptMark(event: EventID(trusted: event), eventPosition: StreamPosition(1), time: Timestamp(milliseconds: time))
        )
    }

    private func text(_ receipts: [(key: ReceiptKey, mark: ReceiptMark)]) -> String {
        String(decoding: ReceiptContent.render(receipts), as: UTF8.self)
    }

    @Test("receipts are grouped by event, kind and user")
    func groups() {
        let content = text([
            receipt("$b", "@x:h", 1), receipt("$a", "@y:h", 2), receipt("$b", "@a:h", 3),
            receipt("$a", "@y:h", 4, type: "m.read.private", thread: "main"),
        ])
        #expect(
            content == """
                {"$a":{"m.read":{"@y:h":{"ts":2}},"m.read.private":{"@y:h":{"ts":4,"thread_id":"main"}}},\
                "$b":{"m.read":{"@a:h":{"ts":3},"@x:h":{"ts":1}}}}
                """)
    }

    @Test("of several receipts of a user at one event the unthreaded one is shown")
    func unthreadedWins() {
        let content = text([receipt("$a", "@x:h", 1, thread: "main"), receipt("$a", "@x:h", 2), receipt("$a", "@x:h", 3, thread: "$r")])
        #expect(content == #"{"$a":{"m.read":{"@x:h":{"ts":2}}}}"#)
    }

    @Test("no receipts make an empty object")
    func empty() { #expect(text([]) == "{}") }
}

@Suite("Window of recent receipts")
struct ReceiptWindowTests {
    private func entry(_ position: Int64) -> ReceiptWindow.Entry {
        ReceiptWindow.Entry(
            position: StreamPosition(position), room: RoomID(trusted: "!r:h"),
            key: ReceiptKey(user: UserID(trusted: "@a:h"), type: "m.read", thread: ""),
            mark: ReceiptMark(event: EventID(trusted: "$e"), eventPosition: StreamPosition(1), time: Timestamp(milliseconds: 0)))
    }

    private func positions(_ window: ReceiptWindow, after: Int64, upTo: Int64) -> [Int64]? {
        window.entries(after: StreamPosition(after), upTo: StreamPosition(upTo))?.map(\.position.value)
    }

    @Test("it answers for the stretch it covers, and for nothing older")
    func stretch() {
        var window = ReceiptWindow(startingAt: StreamPosition(10), limit: 3)
        #expect(positions(window, after: 9, upTo: 20) == nil)
        #expect(positions(window, after: 10, upTo: 20) == [])
        for position in [12, 14, 15] as [Int64] { window.append(entry(position)) }
        #expect(positions(window, after: 10, upTo: 20) == [12, 14, 15])
        #expect(positions(window, after: 12, upTo: 14) == [14])
        #expect(positions(window, after: 15, upTo: 20) == [])
        window.append(entry(18))
        #expect(positions(window, after: 11, upTo: 20) == nil)
        #expect(positions(window, after: 12, upTo: 20) == [14, 15, 18])
    }
}
