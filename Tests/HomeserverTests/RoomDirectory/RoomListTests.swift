// What clients ask of the room directory, and its tokens.

import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Requests of the room directory")
struct RoomListTests {
    private func request(_ text: String) throws -> RoomListRequest { try RoomListRequest(try json(text)) }

    @Test("a request is read with its filter, and held to the limit")
    func reading() throws {
        let plain = try request("{}")
        #expect(plain.limit == 100 && plain.query.list == .own && !plain.isContinued)
        #expect(try request(#"{"limit":0}"#).limit == 100)
        #expect(try request(#"{"limit":9000000000}"#).limit == 100)
        let filtered = try request(#"{"limit":3,"filter":{"generic_search_term":"WOMBLES","room_types":["m.space",null]}}"#)
        #expect(filtered.limit == 3 && filtered.query.searchTerm == "wombles" && filtered.query.roomTypes == ["m.space", nil])
        #expect(try request(#"{"include_all_networks":true}"#).query.list == .all)
        #expect(try request(#"{"third_party_instance_id":"irc|libera"}"#).query.list == .network(service: "irc", network: "libera"))
    }

    @Test(
        "what is no request is refused",
        arguments: [
            #"{"limit":-1}"#, #"{"limit":"3"}"#, #"{"since":7}"#, #"{"since":"nonsense"}"#, #"{"filter":[]}"#,
            #"{"filter":{"generic_search_term":1}}"#, #"{"filter":{"room_types":"m.space"}}"#, #"{"filter":{"room_types":[1]}}"#,
            #"{"third_party_instance_id":"irc"}"#, #"{"third_party_instance_id":"a|b","include_all_networks":true}"#,
            #"{"filter":{"generic_search_term":"\#(String(repeating: "x", count: 2000))"}}"#,
        ])
    func refusing(text: String) {
        #expect(throws: MatrixError.self) { try request(text) }
    }

    @Test("a token leads back to its place", arguments: [RoomListQuery.Direction.forwards, .backwards])
    func tokens(direction: RoomListQuery.Direction) throws {
        let token = RoomListToken(RoomListQuery.Place(joinedMembers: 12, room: "!a b:example.org"), direction)
        #expect(try RoomListToken(parsing: token.text) == token)
    }

    @Test(
        "what is no token is refused",
        arguments: ["", "x", "bg", Base64.encode("n -1 !a".utf8, .urlSafe), Base64.encode("q 1 !a".utf8, .urlSafe)])
    func wrongTokens(text: String) {
        #expect(throws: MatrixError.self) { try RoomListToken(parsing: text) }
    }
}
