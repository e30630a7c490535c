import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Body of a key upload")
struct KeyUploadTests {
    static let owner = DeviceAddress(user: UserID(trusted: "@alice:example.org"), device: DeviceID(trusted: "PHONE"))
    static let deviceKeys = """
        {"user_id":"@alice:example.org","device_id":"PHONE","algorithms":["m.olm.v1.curve25519-aes-sha2"],\
        "keys":{"ed25519:PHONE":"abc"},"signatures":{"@alice:example.org":{"ed25519:PHONE":"sig"}},"unsigned":{"a":1}}
        """

    private func upload(_ text: String) throws -> KeyUpload {
        try KeyUpload(JSONDocument(parsing: Array(text.utf8)).root, by: Self.owner)
    }

    @Test("device keys are kept canonical and without unsigned")
    func canonical() throws {
        let upload = try upload("{\"device_keys\":\(Self.deviceKeys)}")
        #expect(
            upload.deviceKeys.map { String(decoding: $0, as: UTF8.self) } == """
                {"algorithms":["m.olm.v1.curve25519-aes-sha2"],"device_id":"PHONE","keys":{"ed25519:PHONE":"abc"},\
                "signatures":{"@alice:example.org":{"ed25519:PHONE":"sig"}},"user_id":"@alice:example.org"}
                """)
    }

    @Test("keys are split at the colon; the last fallback key of an algorithm counts")
    func names() throws {
        let upload = try upload(
            """
            {"one_time_keys":{"signed_curve25519:A":{"key":"k","signatures":{}},"curve25519:B":"plain"},
             "fallback_keys":{"signed_curve25519:F":{"key":"f","fallback":true,"signatures":{}},"signed_curve25519:G":"g"}}
            """)
        #expect(upload.oneTimeKeys.map(\.name) == ["curve25519:B", "signed_curve25519:A"])
        #expect(upload.fallbackKeys.map(\.name) == ["signed_curve25519:G"])
        #expect(upload.deviceKeys == nil)
    }

    @Test(
        "what is not as the specification wants it is refused",
        arguments: [
            (#"{"device_keys":null}"#, "M_BAD_JSON"),
            (#"{"device_keys":[]}"#, "M_BAD_JSON"),
            (#"{"device_keys":{"user_id":"@alice:example.org","device_id":"PHONE","algorithms":[],"keys":{}}}"#, "M_BAD_JSON"),
            (deviceKeys(replacing: "@alice:example.org", with: "@mallory:example.org"), "M_BAD_JSON"),
            (deviceKeys(replacing: "\"PHONE\"", with: "\"LAPTOP\""), "M_BAD_JSON"),
            (deviceKeys(replacing: "\"abc\"", with: "1"), "M_BAD_JSON"),
            (deviceKeys(replacing: "\"sig\"", with: "[]"), "M_BAD_JSON"),
            (deviceKeys(replacing: "[\"m.olm.v1.curve25519-aes-sha2\"]", with: "[1]"), "M_BAD_JSON"),
            (#"{"device_keys":{"user_id":"@alice:example.org","device_id":"PHONE"}}"#, "M_BAD_JSON"),
            (#"{"one_time_keys":[]}"#, "M_BAD_JSON"),
            ("{\"one_time_keys\":{\"a:\(String(repeating: "b", count: 300))\":\"k\"}}", "M_BAD_JSON"),
            (#"{"one_time_keys":{"nocolon":"k"}}"#, "M_BAD_JSON"),
            (#"{"one_time_keys":{"a:b:c":"k"}}"#, "M_BAD_JSON"),
            (#"{"one_time_keys":{"a:b\u0000":"k"}}"#, "M_BAD_JSON"),
            (#"{"one_time_keys":{"a:b":1}}"#, "M_BAD_JSON"),
            (#"{"one_time_keys":{"a:b":{"key":"k"}}}"#, "M_BAD_JSON"),
            (#"{"fallback_keys":{"a:b":{"key":1,"signatures":{}}}}"#, "M_BAD_JSON"),
        ])
    func refused(_ body: String, errcode: String) throws {
        let error = #expect(throws: MatrixError.self) { try upload(body) }
        #expect(error?.errcode == errcode)
        #expect(error?.status == 400)
    }

    private static func deviceKeys(replacing old: String, with new: String) -> String {
        "{\"device_keys\":\(deviceKeys.replacing(old, with: new))}"
    }

    @Test("a stored key with other signatures is the same key, one with another content is refused")
    func duplicates() throws {
        let upload = try upload(#"{"one_time_keys":{"s:A":{"key":"k","signatures":{"@a:b":{"x":"2"}}},"s:B":{"key":"b","signatures":{}}}}"#)
        func stored(_ json: String) -> [StoredKey] { [StoredKey(algorithm: "s", keyID: "A", json: Array(json.utf8))] }
        #expect(try upload.newOneTimeKeys(stored: []).count == 2)
        #expect(try upload.newOneTimeKeys(stored: stored(#"{"key":"k","signatures":{"@a:b":{"x":"1"}}}"#)).map(\.name) == ["s:B"])
        let error = #expect(throws: MatrixError.self) {
            try upload.newOneTimeKeys(stored: stored(#"{"key":"other","signatures":{}}"#))
        }
        #expect(error?.errcode == "M_INVALID_PARAM")
        // The same id under another algorithm is another key.
        let elsewhere = [StoredKey(algorithm: "other", keyID: "A", json: Array(#""x""#.utf8))]
        #expect(try upload.newOneTimeKeys(stored: elsewhere).count == 2)
    }
}

extension String {
    /// Without Foundation.
    fileprivate func replacing(_ old: String, with new: String) -> String {
        var result = ""
        var rest = self[...]
        while let start = rest.indices.first(where: { rest[$0...].hasPrefix(old) }) {
            result += rest[..<start] + new
            rest = rest[rest.index(start, offsetBy: old.count)...]
        }
        return result + rest
    }
}
