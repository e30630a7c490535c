// What a change of another server's device means, by cases.

import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Changes of other servers' devices")
struct DeviceListUpdateTests {
    private let user = UserID(trusted: "@u:other.example")

    private func update(_ members: String) throws -> DeviceListUpdate {
        try DeviceListUpdate(json("{\"user_id\":\"@u:other.example\",\"device_id\":\"D\",\"keys\":{\"keys\":{}},\(members)}"))
    }

    @Test(
        "a change is applied if all that it follows upon was taken in, and else the list is fetched",
        arguments: [
            ("5", #""stream_id":6,"prev_id":[5]"#, DeviceListUpdate.Decision.apply),
            ("5", #""stream_id":"6","prev_id":["5"]"#, .apply),
            ("5", #""stream_id":6,"prev_id":[5,4]"#, .apply),
            ("5", #""stream_id":6,"prev_id":[4]"#, .apply),
            ("5", #""stream_id":7,"prev_id":[6]"#, .fetch),
            ("5", #""stream_id":7,"prev_id":[5,6]"#, .fetch),
            ("5", #""stream_id":6,"prev_id":[]"#, .fetch),
            ("5", #""stream_id":6"#, .fetch),
            ("5", #""stream_id":5,"prev_id":[1]"#, .isKnown),
            ("5", #""stream_id":4"#, .isKnown),
            ("", #""stream_id":6,"prev_id":[5]"#, .fetch),
            ("5", #""stream_id":6,"prev_id":[5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5]"#, .fetch),
        ])
    func decisions(known: String, members: String, expected: DeviceListUpdate.Decision) throws {
        let list = RemoteDeviceListRow(user: user, streamID: ByteString(known))
        #expect(try update(members).decision(list: list, seen: ["3", "4"]) == expected)
    }

    @Test("a list that is stale or not followed is fetched, whatever the change says")
    func staleLists() throws {
        let next = try update(#""stream_id":6,"prev_id":[5]"#)
        #expect(next.decision(list: RemoteDeviceListRow(user: user, streamID: "5", isStale: true), seen: []) == .fetch)
        #expect(next.decision(list: nil, seen: ["5"]) == .fetch)
    }

    @Test(
        "what is no such change is dropped",
        arguments: [
            #"{"device_id":"D","stream_id":1}"#, #"{"user_id":"u","device_id":"D","stream_id":1}"#,
            #"{"user_id":"@u:other.example","stream_id":1}"#, #"{"user_id":"@u:other.example","device_id":"","stream_id":1}"#,
            #"{"user_id":"@u:other.example","device_id":"D"}"#, #"{"user_id":"@u:other.example","device_id":"D","stream_id":1.5}"#,
            #"{"user_id":"@u:other.example","device_id":"D","stream_id":""}"#,
            #"{"user_id":"@u:other.example","device_id":"D","stream_id":"a\u0000"}"#,
            #"{"user_id":"@u:other.example","device_id":"D","stream_id":1,"prev_id":5}"#,
            #"{"user_id":"@u:other.example","device_id":"D","stream_id":1,"prev_id":[[]]}"#,
            #"{"user_id":"@u:other.example","device_id":"D","stream_id":1,"keys":[]}"#,
            #"{"user_id":"@u:other.example","device_id":"D","stream_id":1,"keys":{}}"#,
            #"{"user_id":"@u:other.example","device_id":"D","stream_id":1,"keys":{"device_id":"E"}}"#,
            #"{"user_id":"@u:other.example","device_id":"D","stream_id":1,"keys":{"user_id":"@v:other.example"}}"#,
            #"{"user_id":"@u:other.example","device_id":"D","stream_id":1,"keys":{"keys":{"a":1}}}"#,
            #"{"user_id":"@u:other.example","device_id":"D","stream_id":1,"keys":{"signatures":{"a":"b"}}}"#,
        ])
    func malformed(text: String) throws {
        let content = try json(text)
        #expect(throws: MalformedEDU.self) { _ = try DeviceListUpdate(content) }
    }

    @Test("a device that is deleted, or has no keys, is gone")
    func gone() throws {
        #expect(try DeviceListUpdate(json(#"{"user_id":"@u:other.example","device_id":"D","stream_id":1}"#)).keys == nil)
        #expect(try update(#""stream_id":1,"deleted":true"#).keys == nil)
        #expect(try update(#""stream_id":1,"device_display_name":"x""#).keys?.displayName == "x")
    }
}

@Suite("What other servers answer about keys")
struct RemoteUserKeysTests {
    private let user = UserID(trusted: "@u:other.example")

    @Test("devices that are not what they should be are left out, and the others stay")
    func devices() throws {
        let keys = RemoteUserKeys(
            devicesAnswer: try json(
                #"""
                {"user_id":"@u:other.example","stream_id":7,"devices":[
                  {"device_id":"A","keys":{"device_id":"A","keys":{"ed25519:A":"a"},"unsigned":{"x":1}},"device_display_name":"Phone\u0000"},
                  {"device_id":"B","keys":{"device_id":"A"}},
                  {"device_id":"C","keys":{"user_id":"@v:other.example"}},
                  {"device_id":"D"},
                  {"device_id":"E","keys":{"unsigned":{}}},
                  {"keys":{"a":1}}, 5,
                  {"device_id":"F","keys":{"device_keys":{}}}]}
                """#), of: user)
        #expect(keys?.streamID == "7")
        #expect(keys?.devices.map(\.device.string) == ["A", "F"])
        #expect(keys?.devices.first?.displayName == "Phone")
        #expect(keys.map { String(decoding: $0.devices[0].json, as: UTF8.self) } == #"{"device_id":"A","keys":{"ed25519:A":"a"}}"#)
    }

    @Test(
        "what is no list of devices is none",
        arguments: [
            "{}", #"{"stream_id":1}"#, #"{"stream_id":1,"devices":{}}"#, #"{"devices":[]}"#,
            #"{"user_id":"@v:other.example","stream_id":1,"devices":[]}"#,
        ])
    func noList(text: String) throws {
        #expect(RemoteUserKeys(devicesAnswer: try json(text), of: user) == nil)
    }

    @Test("a self-signing key counts only with the signature of the master key")
    func crossSigning() throws {
        let (own, other) = (CrossSigningIdentity(user), CrossSigningIdentity(user))
        func usages(_ master: JSONObject?, _ selfSigning: JSONObject, known: CrossSigningKey? = nil) throws -> [CrossSigningUsage] {
            RemoteCrossSigningKeys(of: user, master: try master?.parsed, selfSigning: try selfSigning.parsed, known: known).rows.map(
                \.usage)
        }
        #expect(try usages(own.key(.master), own.key(.selfSigning)) == [.master, .selfSigning])
        #expect(try usages(own.key(.master), other.key(.selfSigning)) == [.master])
        #expect(try usages(nil, own.key(.selfSigning)) == [])
        let known = try CrossSigningKey(own.key(.master).parsed, usage: .master, of: user)
        #expect(try usages(nil, own.key(.selfSigning), known: known) == [.selfSigning])
        #expect(try usages(own.key(.selfSigning), own.key(.selfSigning)) == [])
    }

    @Test("what is too much is shown and not kept")
    func size() throws {
        var list: [JSONValue] = []
        for index in 0...RemoteUserKeys.deviceLimit { list.append(["device_id": .string("D\(index)"), "keys": ["keys": [:]]]) }
        let answer: JSONObject = ["stream_id": 1, "devices": .array(list)]
        let keys = try #require(RemoteUserKeys(devicesAnswer: try answer.parsed, of: user))
        #expect(keys.devices.count == RemoteUserKeys.deviceLimit + 1)
        #expect(!keys.isKeepable)
    }
}
