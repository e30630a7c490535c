// What guests may call. Client-Server API §Guest access.

/// The endpoints that are open to guest accounts: those that the specification lists, and the further ones that Synapse lets them have
/// because their clients do not get on without.
enum GuestRoutes {
    /// Whether a guest may call `method` on a path template. What is no client-server endpoint is not for guests to begin with, and has its
    /// own rules.
    static func include(_ method: HTTPMethod, _ template: String) -> Bool {
        guard let path = pathBelowVersion(template) else { return true }
        let wanted = shape(path)
        return table.contains { $0.method == method && shape($0.path[...]) == wanted }
    }

    /// The segments of a path; parameters are alike, whatever their names.
    private static func shape(_ path: Substring) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: false).map { $0.hasPrefix("{") ? "{}" : $0 }
    }

    /// `/rooms/{roomId}/state` of `/_matrix/client/v3/rooms/{roomId}/state`.
    private static func pathBelowVersion(_ template: String) -> Substring? {
        let media = "/_matrix/media/"
        if template.hasPrefix(media) { return template.dropFirst(media.count).drop { $0 != "/" } }
        let prefix = "/_matrix/client/"
        guard template.hasPrefix(prefix) else { return nil }
        var rest = template.dropFirst(prefix.count)
        // The first version's prefix has two parts, those of unstable endpoints may have.
        if rest.hasPrefix("api/v1/") { rest = rest.dropFirst("api/".count) }
        guard let slash = rest.firstIndex(of: "/") else { return nil }
        rest = rest[slash...]
        for unstable in ["/org.matrix.simplified_msc3575", "/im.nheko.summary", "/uk.tcpip.msc4133"] where rest.hasPrefix(unstable + "/") {
            rest = rest.dropFirst(unstable.count)
        }
        return rest
    }

    private static let table: [(method: HTTPMethod, path: String)] = [
        // Reading
        (.get, "/rooms/{roomId}/state"), (.get, "/rooms/{roomId}/state/{eventType}"),
        (.get, "/rooms/{roomId}/state/{eventType}/{stateKey}"), (.get, "/rooms/{roomId}/context/{eventId}"),
        (.get, "/rooms/{roomId}/event/{eventId}"), (.get, "/rooms/{roomId}/messages"), (.get, "/rooms/{roomId}/members"),
        (.get, "/rooms/{roomId}/initialSync"), (.get, "/rooms/{roomId}/relations/{eventId}"),
        (.get, "/rooms/{roomId}/relations/{eventId}/{relType}"), (.get, "/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}"),
        (.get, "/rooms/{roomId}/hierarchy"), (.get, "/room_summary/{roomIdOrAlias}"), (.get, "/rooms/{roomIdOrAlias}/summary"),
        (.get, "/summary/{roomIdOrAlias}"),
        (.get, "/sync"), (.post, "/sync"), (.get, "/events"), (.get, "/publicRooms"), (.post, "/publicRooms"), (.get, "/joined_rooms"),
        (.get, "/media/download/{serverName}/{mediaId}"), (.get, "/media/download/{serverName}/{mediaId}/{fileName}"),
        (.get, "/media/thumbnail/{serverName}/{mediaId}"),
        (.get, "/thirdparty/protocols"), (.get, "/thirdparty/protocol/{protocol}"), (.get, "/thirdparty/location"),
        (.get, "/thirdparty/location/{protocol}"), (.get, "/thirdparty/user"), (.get, "/thirdparty/user/{protocol}"),
        // Coming, going and sending
        (.post, "/join/{roomIdOrAlias}"), (.post, "/rooms/{roomId}/join"), (.post, "/rooms/{roomId}/leave"),
        (.put, "/rooms/{roomId}/send/{eventType}/{txnId}"), (.post, "/rooms/{roomId}/send/{eventType}"),
        (.put, "/rooms/{roomId}/state/{eventType}"), (.put, "/rooms/{roomId}/state/{eventType}/{stateKey}"),
        (.put, "/sendToDevice/{eventType}/{txnId}"),
        // The own account
        (.put, "/profile/{userId}/{keyName}"), (.delete, "/profile/{userId}/{keyName}"), (.get, "/devices"), (.get, "/devices/{deviceId}"),
        (.put, "/devices/{deviceId}"), (.get, "/account/whoami"), (.get, "/capabilities"), (.post, "/logout"), (.post, "/logout/all"),
        // Encryption
        (.post, "/keys/upload"), (.post, "/keys/query"), (.post, "/keys/claim"), (.get, "/keys/changes"),
        (.post, "/keys/signatures/upload"),
        // Calls, where the operator lets them
        (.get, "/voip/turnServer"),
    ]
}
