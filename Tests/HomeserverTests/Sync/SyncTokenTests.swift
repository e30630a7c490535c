import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Sync token")
struct SyncTokenTests {
    @Test("a token is a position behind an s", arguments: [("s0", 0), ("s1", 1), ("s123", 123), ("s9223372036854775807", Int64.max)])
    func valid(text: String, position: Int64) throws {
        #expect(try SyncToken(parsing: text).position == StreamPosition(position))
        #expect(SyncToken(StreamPosition(position)).text == text)
    }

    @Test(
        "anything else is refused as Synapse does",
        arguments: [
            "", "s", "123", "t1", "s-", "s--1", "s+1", "s 1", "s1 ", "s1_2", "s1.0", "s٣", "s9223372036854775808", "s99999999999999999999",
        ])
    func invalid(text: String) {
        let error = #expect(throws: MatrixError.self) { _ = try SyncToken(parsing: text) }
        #expect(error?.errcode == "M_UNKNOWN")
        #expect(error?.status == 400)
    }
}
