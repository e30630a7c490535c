// What the authentication service says of an access token. RFC 7662 §2.2; Client-Server API §Scopes.

import MatrixCore

package struct TokenIntrospection: Sendable, Equatable {
    package let isActive: Bool
    private let scopes: [String]
    private let username: String?
    /// Of sessions that were opened by a login of the older kind, whose scope names no device.
    private let deviceID: String?
    /// Seconds.
    private let expiresIn: Int64?

    /// Nil for what is no such answer.
    package init?(_ json: JSON) {
        guard let isActive = json["active"]?.bool else { return nil }
        self.isActive = isActive
        scopes = json["scope"]?.string?.split(separator: " ").map(String.init) ?? []
        username = json["username"]?.string
        deviceID = json["device_id"]?.string
        expiresIn = json["expires_in"]?.int
    }

    /// Whose token it is, and what it is good for.
    package struct Grant: Sendable, Equatable {
        package let user: UserID
        package let device: DeviceID?
        package let isAdmin: Bool
        package let expiry: Timestamp?
    }

    /// What the token grants on this server.
    ///
    /// - Throws: `M_UNKNOWN_TOKEN` where it grants nothing; `M_UNKNOWN` with status 500 where the service contradicts itself.
    package func grant(on server: ServerName, at now: Timestamp) throws(MatrixError) -> Grant {
        guard isActive, expiresIn.map({ $0 > 0 }) ?? true else { throw Self.inactive }
        guard scopes.contains(where: Self.apiScopes.contains) else {
            throw MatrixError(
                status: 401, errcode: "M_UNKNOWN_TOKEN", message: "Token doesn't grant access to the Matrix C-S API",
                extra: ["soft_logout": false])
        }
        guard let username, !username.isEmpty, let user = UserID(valid: "@\(username):\(server)") else {
            throw .unknown("Invalid username claim in the introspection result", status: 500)
        }
        // A number that is too large for a time means the same as none.
        let expiry = expiresIn.map { now.advanced(byMilliseconds: $0.multipliedReportingOverflow(by: 1000).overflow ? .max : $0 * 1000) }
        return Grant(user: user, device: try device(), isAdmin: scopes.contains("urn:synapse:admin:*"), expiry: expiry)
    }

    private func device() throws(MatrixError) -> DeviceID? {
        var ids = Set(
            scopes.compactMap { scope in
                Self.devicePrefixes.first { scope.hasPrefix($0) }.map { ByteString(String(scope.dropFirst($0.count))) }
            })
        if let deviceID { ids = [ByteString(deviceID)] }
        guard let id = ids.first else { return nil }
        guard ids.count == 1 else { throw .unknown("Multiple device IDs in scope", status: 500) }
        guard (1...255).contains(id.count), !id.string.utf8.contains(0) else {
            throw .unknown("Invalid device ID in introspection result", status: 500)
        }
        return DeviceID(trusted: id.string)
    }

    static let inactive = MatrixError(
        status: 401, errcode: "M_UNKNOWN_TOKEN", message: "Token is not active", extra: ["soft_logout": false])

    /// By the specification's name, and by the proposal's (MSC2967).
    private static let apiScopes: Set<String> = ["urn:matrix:client:api:*", "urn:matrix:org.matrix.msc2967.client:api:*"]
    private static let devicePrefixes = ["urn:matrix:client:device:", "urn:matrix:org.matrix.msc2967.client:device:"]
}
