// What CAS servers answer.

import Homeserver
import MatrixCore
import Testing

@Suite("CAS") struct CASResponseTests {
    private static func response(_ text: String, numericPrefix: String? = nil) throws(SignOnFailure) -> CASResponse {
        try CASResponse(Array(text.utf8), numericPrefix: numericPrefix)
    }

    private static func code(_ text: String) -> String? {
        do throws(SignOnFailure) {
            _ = try response(text)
            return nil
        } catch {
            return error.code
        }
    }

    private static func success(_ inside: String) -> String {
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- from the CAS server -->
        <cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>
            <cas:authenticationSuccess>\(inside)</cas:authenticationSuccess>
        </cas:serviceResponse>
        """
    }

    @Test("the user and their attributes are read")
    func success() throws {
        let response = try Self.response(
            Self.success(
                """

                        <cas:user> frank &amp; &#x66;riends</cas:user>
                        <cas:attributes>
                            <cas:group>one</cas:group><cas:group><![CDATA[t<w>o]]></cas:group><cas:empty/>
                            <cas:name lang="de">Frank</cas:name>
                        </cas:attributes>
                        <cas:proxyGrantingTicket>PGTIOU-1</cas:proxyGrantingTicket>
                """))
        #expect(response.user == "frank & friends")
        #expect(response.attributes == ["group": ["one", "t<w>o"], "empty": [""], "name": ["Frank"]])
    }

    @Test("a name of digits gets a prefix where there is one")
    func numeric() throws {
        #expect(try Self.response(Self.success("<cas:user>123</cas:user>"), numericPrefix: "u").user == "u123")
        #expect(try Self.response(Self.success("<cas:user>123</cas:user>")).user == "123")
        #expect(try Self.response(Self.success("<cas:user>a123</cas:user>"), numericPrefix: "u").user == "a123")
    }

    @Test("what is no success lets nobody in")
    func failures() {
        #expect(
            Self.code(
                "<cas:serviceResponse><cas:authenticationFailure code='INVALID_TICKET'>no</cas:authenticationFailure></cas:serviceResponse>"
            )
                == "unsucessful_response")
        #expect(Self.code(Self.success("<cas:attributes/>")) == "no_user")
        #expect(Self.code(Self.success("<cas:user>  </cas:user>")) == "no_user")
        #expect(Self.code("<html><body>Log in</body></html>") == "missing_service_response")
        // The first element counts, whatever comes after it.
        #expect(
            Self.code(
                "<r:serviceResponse><r:authenticationFailure/><r:authenticationSuccess><r:user>a</r:user></r:authenticationSuccess></r:serviceResponse>"
            )
                == "unsucessful_response")
    }

    @Test(
        "what is not well formed, or could be more than it is, is no XML here",
        arguments: [
            "", "text", "<a>", "<a></b>", "<a><b></a></b>", "<a/><b/>", "<a>&unknown;</a>", "<a>&#0;</a>", "<a b=c/>", "<a b='c/>",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a>&amp</a>", "<a/>text", "<a><![CDATA[x]]</a>", "<a><!-- x</a>",
        ])
    func malformed(text: String) { #expect(XMLElement.document(Array(text.utf8)) == nil) }

    @Test("deep nesting ends the reading")
    func deep() {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)).utf8)
        }
        #expect(XMLElement.document(nested(30)) != nil && XMLElement.document(nested(33)) == nil)
        #expect(XMLElement.document(nested(100_000)) == nil)
    }
}
