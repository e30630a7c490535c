// Which servers may take part in a room. Client-Server API §Server Access Control Lists (ACLs) for rooms, m.room.server_acl.

/// A room's `m.room.server_acl`.
///
/// It is no authorization rule: it holds for requests between servers, at the moment at which they are made.
package struct ServerACL: Sendable {
    /// `allow_ip_literals`
    package let allowsIPLiterals: Bool
    private let allow: [Glob]
    private let deny: [Glob]

    /// What holds in a room without access control: everyone may take part.
    package static let unrestricted = ServerACL(content: nil)

    /// Content that is not of the form that the specification gives it is read as if it were absent, entry by entry.
    ///
    /// - Parameter content: the content of the event; `nil` when the room has none. An event without `allow` shuts everyone out.
    package init(content: JSON?) {
        guard let content else {
            allowsIPLiterals = true
            allow = [Glob("*")]
            deny = []
            return
        }
        allowsIPLiterals = content["allow_ip_literals"]?.bool ?? true
        allow = Self.patterns(content["allow"])
        deny = Self.patterns(content["deny"])
    }

    private static func patterns(_ list: JSON?) -> [Glob] {
        guard let list, list.isArray else { return [] }
        return list.elements.compactMap { $0.string.map { Glob($0) } }
    }

    /// Whether the users of `server` do not shut out their own server by setting this list. As lists know no ports, one that names the
    /// host of a server with a port of its own may mean another server there.
    package func spares(_ server: ServerName) -> Bool {
        server.port != nil || allows(server)
    }

    /// Whether `server` may take part. The port does not matter, nor does case.
    package func allows(_ server: ServerName) -> Bool {
        if !allowsIPLiterals, server.isLiteralAddress { return false }
        let host = LowercasedText(server.host)
        if deny.contains(where: { $0.matches(host) }) { return false }
        return allow.contains { $0.matches(host) }
    }
}
