// Events as large as events can be, filled with one thing only. The times are far above what they take and far below what
// anything quadratic would.

import MatrixCore
import Testing

@Suite("Hostile events", .serialized)
struct HostileEventTests {
    /// A part of a PDU that is repeated until the event is full.
    struct Filling: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var type = "m.room.message"
        var content: @Sendable (Int) -> String = { _ in "{}" }
        var other: @Sendable (Int) -> String = { _ in "" }
    }

    private static func list(_ count: Int, _ element: (Int) -> String) -> String { (0..<count).map(element).joined(separator: ",") }

    static let fillings = [
        Filling(testDescription: "keys", content: { count in "{\(list(count) { #""\#($0)":0"# })}" }),
        Filling(
            testDescription: "escaped keys in reverse order", content: { count in "{\(list(count) { #""\u0061\#(99_999 - $0)":0"# })}" }),
        Filling(testDescription: "one key", content: { count in "{\(list(count) { _ in #""a":0"# })}" }),
        Filling(testDescription: "elements", content: { count in "{\"a\":[\(list(count) { "\($0)" })]}" }),
        Filling(testDescription: "escapes", content: { count in "{\"body\":\"\(String(repeating: #"\n"#, count: count))\"}" }),
        Filling(testDescription: "keys of the event", other: { count in ",\(list(count) { #""k\#($0)":0"# })" }),
        Filling(testDescription: "types", other: { count in ",\(list(count) { _ in #""type":"m.room.message""# })" }),
        Filling(testDescription: "servers that signed", other: { count in #","signatures":{\#(list(count) { #""s\#($0)":{"k":""}"# })}"# }),
        Filling(
            testDescription: "signatures of the server",
            other: { count in #","signatures":{"example.org":{\#(list(count) { #""ed25519:\#($0)":"AAAA""# })}}"# }),
        Filling(
            testDescription: "creators", type: "m.room.create",
            content: { count in
                #"{"room_version":"12","creator":"@a:example.org","additional_creators":[\#(list(count) { #""@\#($0):b""# })]}"#
            }),
        Filling(
            testDescription: "users with power", type: "m.room.power_levels",
            content: { count in #"{"users":{\#(list(count) { #""@\#($0):b":\#($0)"# })}}"# }),
        Filling(
            testDescription: "levels of events", type: "m.room.power_levels",
            content: { count in #"{"events":{\#(list(count) { #""t\#($0)":\#($0)"# })}}"# }),
        Filling(
            testDescription: "rooms whose members may join", type: "m.room.join_rules",
            content: { count in
                #"{"join_rule":"restricted","allow":[\#(list(count / 4) { #"{"type":"m.room_membership","room_id":"!\#($0):b"}"# })]}"#
            }),
        Filling(
            testDescription: "patterns", type: "m.room.server_acl",
            content: { count in #"{"allow":["*"],"deny":[\#(list(count) { #""*a*b?\#($0)""# })]}"# }),
    ]

    @Test("an event that is full of one thing is read, redacted and judged in time in proportion", arguments: fillings)
    func fullEvents(filling: Filling) throws {
        for version in RoomVersion.all where version.eventFormat != .explicitIDs {
            let time = try TimeBound.measure {
                let (text, event) = try #require(try largest(filling, version))
                #expect(text.count > Event.byteLimit / 4)
                #expect(try event.redacted().id == event.id)
                _ = try event.hasValidContentHash()
                _ = try event.signatures(of: event.sender.server)
                let create = filling.type == "m.room.create" ? [event] : []
                let state = AuthEventState(events: create + [event], version: version)
                _ = try? authorize(event, against: state, version: version)
                let levels = PowerLevels(content: event.content(), creators: CreateEvent(event).creators, version: version)
                for user in ["@a:example.org", "@1:b", "@nobody:b"] { _ = levels.level(of: UserID(trusted: user)) }
                _ = JoinRules(content: event.content())
                _ = ServerACL(content: event.content()).allows(ServerName(trusted: String(repeating: "ab", count: 100)))
                _ = ClientEventFormat.render(pdu: event.json, id: event.id, version: version)
            }
            #expect(time < TimeBound.seconds(2), "\(version)")
        }
    }

    /// The event with about as much of the filling as the size limit allows, and its text.
    private func largest(_ filling: Filling, _ version: RoomVersion) throws -> (text: [UInt8], event: Event)? {
        var count = 32_768
        while count > 256 {
            let text = pdu(filling, count, version)
            do {
                return (text, try Event(parsing: text, version: version))
            } catch EventError.tooLarge {
                count -= count / 4
            }
        }
        return nil
    }

    private func pdu(_ filling: Filling, _ count: Int, _ version: RoomVersion) -> [UInt8] {
        let isCreate = filling.type == "m.room.create"
        let roomID = isCreate && version.createEventDecidesRoomID ? "" : #","room_id":"!room:example.org""#
        let stateKey = filling.type == "m.room.message" ? "" : #","state_key":"""#
        let signatures = filling.other(1).contains("signatures") ? "" : #","signatures":{}"#
        return Array(
            """
            {"auth_events":[],"content":\(filling.content(count)),"depth":1,"hashes":{"sha256":"AAAA"},"origin_server_ts":1,"prev_events":[]\
            \(roomID),"sender":"@a:example.org"\(signatures)\(stateKey),"type":"\(filling.type)"\(filling.other(count))}
            """.utf8)
    }
}
