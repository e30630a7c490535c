// What a token says. RFC 7519 §4.1.

import MatrixCore

package struct JSONWebClaims: Sendable {
    /// How far clocks may differ, in seconds.
    private static let leeway: Double = 120

    package let json: JSON

    package init(_ json: JSON) {
        self.json = json
    }

    package subscript(_ name: String) -> JSON? {
        guard let claim = json[name], !claim.isNull else { return nil }
        return claim
    }

    /// Checks `exp`, `nbf` and `iat`, as far as they are there.
    package func checkTimes(at now: Timestamp) throws(JSONWebTokenError) {
        let now = Double(now.milliseconds) / 1000
        if let expiry = try date("exp"), expiry < now - Self.leeway { throw .expired }
        if let start = try date("nbf"), start > now + Self.leeway { throw .notYetValid }
        if let issued = try date("iat"), issued > now + Self.leeway { throw .notYetValid }
    }

    /// Checks that a claim is there and is this text.
    package func check(_ name: String, is expected: String) throws(JSONWebTokenError) {
        guard let claim = self[name] else { throw .missingClaim(name) }
        guard let text = claim.string, SecretComparison.isEqual(text, expected) else { throw .invalidClaim(name) }
    }

    /// Checks that the audience is there and holds one of these.
    package func checkAudience(among expected: [String]) throws(JSONWebTokenError) {
        guard self["aud"] != nil else { throw .missingClaim("aud") }
        guard audiences.contains(where: { audience in expected.contains { ByteString($0) == ByteString(audience) } }) else {
            throw .invalidClaim("aud")
        }
    }

    /// `aud`: one text, or a list of them.
    package var audiences: [String] {
        guard let audience = self["aud"] else { return [] }
        return audience.string.map { [$0] } ?? audience.elements.compactMap(\.string)
    }

    /// Checks that a claim is there and is a number.
    package func checkIsDate(_ name: String) throws(JSONWebTokenError) {
        guard try date(name) != nil else { throw .missingClaim(name) }
    }

    private func date(_ name: String) throws(JSONWebTokenError) -> Double? {
        guard let claim = self[name] else { return nil }
        guard let seconds = claim.double else { throw .invalidClaim(name) }
        return seconds
    }
}
