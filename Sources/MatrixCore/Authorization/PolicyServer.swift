// Who recommends events for a room, beside its rules. Server-Server API §Policy Servers.

/// What `m.room.policy` says: a server whose signature every event of the room should have.
package struct PolicyServer: Sendable {
    /// It counts while a user of it is joined.
    package let name: ServerName
    private let key: VerifyKey

    /// The one key that signs for rooms; it stands in the state, and nobody publishes it.
    package static let keyID: ByteString = "ed25519:policy_server"

    /// - Parameter content: of the state event; nil where it lacks what it must have.
    package init?(content: JSON) {
        guard let name = content["via"]?.string.flatMap({ ServerName(valid: $0) }),
            let key = content["public_keys"]?["ed25519"]?.string.flatMap({ VerifyKey(base64: $0) })
        else { return nil }
        self.name = name
        self.key = key
    }

    /// Whether the event needs a recommendation. The choice of the policy server does not: so a room gets rid of one that is silent.
    package static func concerns(_ event: Event) -> Bool { event.key != .policy }

    /// Whether the event has this server's signature.
    package func recommends(_ event: Event) -> Bool {
        do { return try event.isSigned(by: name, keys: [Self.keyID: key]) } catch { return false }
    }
}
