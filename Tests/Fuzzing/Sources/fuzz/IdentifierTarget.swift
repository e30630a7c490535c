// Identifiers: what is accepted keeps its bytes and falls into parts that are themselves accepted.

import MatrixCore

extension FuzzTarget {
    static let identifier = FuzzTarget(name: "identifier") { bytes in
        guard let text = String(validating: bytes, as: UTF8.self) else { return }
        checkBytes(UserID.self, text)
        checkBytes(RoomID.self, text)
        checkBytes(RoomAlias.self, text)
        checkBytes(EventID.self, text)
        checkBytes(DeviceID.self, text)
        checkBytes(KeyID.self, text)
        if let server = checkBytes(ServerName.self, text) {
            require(!server.host.isEmpty, "a server without a host")
            require(server.port.map { (0...99_999).contains($0) } ?? true, "a port of more than five digits")
            _ = server.isLiteralAddress
        }
        if let user = UserID(valid: text) {
            require(UserID(valid: "@\(user.localpart.string):\(user.server.string)") == user, "a user ID is not its parts")
            require(user.belongs(to: user.server), "a user belongs to another server")
            require(ServerName(valid: user.server.string) != nil, "the server of a user ID is none")
        }
        if let alias = RoomAlias(valid: text) {
            require(RoomAlias(localpart: alias.localpart, server: alias.server) == alias, "an alias is not its parts")
        }
        if let uri = checkBytes(ContentURI.self, text) {
            require(ContentURI(server: uri.server, mediaID: uri.mediaID) == uri, "a content URI is not its parts")
            require(!uri.mediaID.utf8.contains { [0x2E, 0x2F, 0x5C, 0].contains($0) }, "a media ID that is a path")
        }
    }

    @discardableResult
    private static func checkBytes<ID: MatrixIdentifier>(_ type: ID.Type, _ text: String) -> ID? {
        guard let id = ID(valid: text) else { return nil }
        require(id.text == ByteString(text), "an identifier is not what was read")
        require(text.utf8.count <= 4 * 255, "an identifier is too long")
        require(!text.utf8.contains(0), "an identifier holds a NUL")
        return id
    }
}
