// What is read from a request, and what of it may stand in the log.

import MatrixAPI
import MatrixCore
import Testing

@Suite struct RequestTests {
    @Test("a query is decoded once, plus signs are spaces, and a parameter may come again")
    func queries() {
        let query = QueryString("via=a.example&via=b%2Eexample&filter=%7B%22a%22%3A1%7D&name=a+b%2Bc&flag&empty=&bad=%FF&100%=x")
        #expect(query.all("via") == ["a.example", "b.example"])
        #expect(query.first("filter") == "{\"a\":1}")
        #expect(query.first("name") == "a b+c")
        #expect(query.first("flag") == "" && query.first("empty") == "" && query.first("missing") == nil)
        #expect(query.first("bad") == nil)
        #expect(query.first("100%") == "x")
    }

    @Test("path and query are told apart at the first question mark")
    func targets() {
        let request = APIRequest(method: .get, target: "/a/b?c=d?e")
        #expect(request.path == "/a/b" && request.rawQuery == "c=d?e")
        #expect(APIRequest(method: .get, target: "/a").rawQuery == "" && APIRequest(method: .get, target: "/a?").path == "/a")
    }

    @Test("header names compare without case, and identifiers that differ in normalization are two")
    func headers() {
        let headers = RequestHeaders([("Content-Type", "a"), ("X-Y", "1"), ("x-y", "2")])
        #expect(headers["content-type"] == "a" && headers.all("X-y") == ["1", "2"] && headers["X"] == nil)
    }

    @Test(
        "the access token comes from the header, or from the query where there is no header",
        arguments: [
            ("Bearer syt_a", "/x", "syt_a"), ("bearer syt_a", "/x?access_token=b", "syt_a"), (nil, "/x?access_token=b%2Bc", "b+c"),
            (nil, "/x", nil),
            ("Bearer   syt_a", "/x", "syt_a"),
        ] as [(String?, String, String?)])
    func tokens(header: String?, target: String, expected: String?) throws {
        let request = APIRequest(method: .get, target: target, headers: RequestHeaders(header.map { [("authorization", $0)] } ?? []))
        #expect(try AccessToken.of(request) == expected)
    }

    @Test("another scheme, or none, is no token", arguments: ["Basic YTpi", "Bearer", "Bearer ", "syt_a"])
    func wrongSchemes(header: String) {
        let request = APIRequest(method: .get, target: "/x?access_token=b", headers: RequestHeaders([("Authorization", header)]))
        let error = #expect(throws: MatrixError.self) { _ = try AccessToken.of(request) }
        #expect(error?.errcode == "M_MISSING_TOKEN" && error?.status == 401)
    }

    @Test(
        "X-Forwarded-For gives its first address, and nothing that is none",
        arguments: [
            ("1.2.3.4", "1.2.3.4"), (" 1.2.3.4 , 10.0.0.1", "1.2.3.4"), ("2001:db8::1", "2001:db8::1"), ("unknown", "unknown"), ("", nil),
            ("a\"b", nil), ("{@admin:x}", nil),
        ] as [(String, String?)])
    func forwarded(value: String, expected: String?) {
        #expect(ForwardedHeader.client(value) == expected)
    }

    @Test(
        "secrets are left out of logged targets, and a target stays on its line",
        arguments: [
            ("/a?access_token=syt_secret&since=s1", "/a?access_token=<redacted>&since=s1"),
            ("/a?since=s1&access%5Ftoken=syt_secret", "/a?since=s1&access%5Ftoken=<redacted>"),
            (
                "/a?loginToken=x&client_secret=y&sid=z&token=t",
                "/a?loginToken=<redacted>&client_secret=<redacted>&sid=<redacted>&token=<redacted>"
            ),
            ("/_synapse/admin/v1/registration_tokens/abcd", "/_synapse/admin/v1/registration_tokens/<redacted>"),
            ("/_synapse/client/rendezvous/abcd", "/_synapse/client/rendezvous/<redacted>"),
            (
                "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/abcd/restart",
                "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/<redacted>/restart"
            ),
            ("/_matrix/consent?u=alice&h=0123", "/_matrix/consent?u=alice&h=<redacted>"),
            ("/a?access_token=a?b", "/a?access_token=<redacted>"), ("/a", "/a"), ("/a?flag", "/a?flag"), ("/a\u{1B}[31m\n", "/a?[31m?"),
        ])
    func redaction(target: String, expected: String) {
        #expect(RequestRedaction.target(target) == expected)
    }

    @Test(
        "dates are those of HTTP",
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        ])
    func dates(second: Int, expected: String) {
        #expect(HTTPClock.format(second) == expected)
    }

    @Test("members of a body are read with the specification's error")
    func members() throws {
        let body = try JSONDocument(parsing: Array(#"{"s":"x","n":1,"b":true,"o":{},"a":["x",1],"z":null}"#.utf8)).root
        #expect(try body.requiredString("s") == "x" && body.requiredInt("n") == 1 && body.requiredBool("b"))
        #expect(try body.optionalString("z") == nil && body.optionalObject("o")?.count == 0)
        #expect(#expect(throws: MatrixError.self) { _ = try body.requiredString("missing") }?.errcode == "M_MISSING_PARAM")
        #expect(#expect(throws: MatrixError.self) { _ = try body.requiredString("z") }?.errcode == "M_MISSING_PARAM")
        for wrong in ["n", "o"] {
            #expect(#expect(throws: MatrixError.self) { _ = try body.optionalString(wrong) }?.errcode == "M_BAD_JSON")
        }
        #expect(#expect(throws: MatrixError.self) { _ = try body.requiredStrings("a") }?.errcode == "M_BAD_JSON")
    }
}
