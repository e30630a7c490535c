// What guests may call, by the routes as they stand.

import MatrixAPI
import Testing

@Suite struct GuestRoutesTests {
    private func allowsGuests(_ method: HTTPMethod, _ path: String) -> Bool? {
        guard case .found(let endpoint, _) = Router(Routes.all).match(method, path) else { return nil }
        return endpoint.route.allowsGuests
    }

    @Test(
        "guests read, join and send",
        arguments: [
            (HTTPMethod.get, "/_matrix/client/v3/sync"), (.get, "/_matrix/client/r0/rooms/!a:b/messages"),
            (.get, "/_matrix/client/v3/rooms/!a:b/state/m.room.name/"), (.post, "/_matrix/client/v3/join/!a:b"),
            (.post, "/_matrix/client/v3/rooms/!a:b/leave"), (.put, "/_matrix/client/v3/rooms/!a:b/send/m.room.message/t"),
            (.put, "/_matrix/client/v3/profile/@a:b/displayname"), (.get, "/_matrix/client/v3/account/whoami"),
            (.post, "/_matrix/client/v3/keys/upload"), (.get, "/_matrix/client/versions"),
        ])
    func allowed(method: HTTPMethod, path: String) {
        #expect(allowsGuests(method, path) == true)
    }

    @Test(
        "guests make no rooms and moderate nobody",
        arguments: [
            (HTTPMethod.post, "/_matrix/client/v3/createRoom"), (.post, "/_matrix/client/v3/rooms/!a:b/upgrade"),
            (.post, "/_matrix/client/v3/rooms/!a:b/invite"), (.post, "/_matrix/client/v3/rooms/!a:b/kick"),
            (.post, "/_matrix/client/v3/knock/!a:b"), (.put, "/_matrix/client/v3/directory/room/%23a:b"),
            (.post, "/_matrix/client/v3/rooms/!a:b/report/$e"), (.put, "/_matrix/client/v3/user/@a:b/account_data/x"),
        ])
    func forbidden(method: HTTPMethod, path: String) {
        #expect(allowsGuests(method, path) == false)
    }
}
