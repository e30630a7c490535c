// What profile fields may hold.

import Homeserver
import MatrixCore
import Testing

@Suite("Profile fields")
struct ProfileFieldTests {
    private func stored(_ json: String, in field: ByteString) throws -> String? {
        let value = try #require(try JSONDocument(parsing: Array("{\"v\":\(json)}".utf8)).root["v"])
        return try ProfileField.stored(value, in: field).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("names and pictures are strings; empty ones and null clear the field")
    func texts() throws {
        #expect(try stored("\" Alice \"", in: ProfileField.displayName) == "\"Alice\"")
        #expect(try stored("\"mxc://a/b\"", in: ProfileField.avatarURL) == "\"mxc://a/b\"")
        for field in [ProfileField.displayName, ProfileField.avatarURL] {
            #expect(try stored("\"\"", in: field) == nil)
            #expect(try stored("null", in: field) == nil)
            #expect(throws: MatrixError.self) { _ = try stored("1", in: field) }
            #expect(throws: MatrixError.self) { _ = try stored("\"\(String(repeating: "x", count: 1001))\"", in: field) }
        }
    }

    @Test("a time zone is a name of letters, and may be cleared")
    func timeZones() throws {
        for zone in ["Europe/London", "Etc/GMT+5", "America/Port-au-Prince"] {
            #expect(try stored("\"\(zone)\"", in: ProfileField.timeZone) == "\"\(zone)\"")
        }
        #expect(try stored("null", in: ProfileField.timeZone) == nil)
        for wrong in ["5", "\"Europe London\"", "\"<b>\"", "\"\(String(repeating: "x", count: 65))\""] {
            #expect(throws: MatrixError.self) { _ = try stored(wrong, in: ProfileField.timeZone) }
        }
    }

    @Test("other fields hold any JSON")
    func custom() throws {
        #expect(try stored("{\"b\":1,\"a\":[null]}", in: "org.example.field") == "{\"a\":[null],\"b\":1}")
    }

    @Test("field names follow the common namespaced identifier grammar", arguments: ["", "Upper", "1a", "a b", "ä", "a/b"])
    func names(text: String) {
        #expect(throws: MatrixError.self) { _ = try ProfileField.name(text) }
    }

    @Test("a field name longer than 255 bytes is too large")
    func longName() throws {
        _ = try ProfileField.name(String(repeating: "a", count: 255))
        let error = #expect(throws: MatrixError.self) { _ = try ProfileField.name(String(repeating: "a", count: 256)) }
        #expect(error?.errcode == "M_KEY_TOO_LARGE")
    }
}
