// What an account may do at all is asked on every route by which something is done.

import Homeserver
import MatrixAPI
import Testing

@Suite("Deeds of routes")
struct AccountDeedTests {
    /// Routes that change something in rooms or of the profile, whose handlers find out what it is that is done.
    private static let decidedByHandler: Set<String> = [
        "PUT /rooms/{}/send/{}/{}", "POST /rooms/{}/send/{}", "PUT /rooms/{}/redact/{}/{}", "POST /rooms/{}/redact/{}",
        "PUT /rooms/{}/state/{}", "PUT /rooms/{}/state/{}/{}",
    ]

    /// Routes that leave rooms and profiles as they are for others, or take back what the user did.
    private static let harmless: Set<String> = [
        "POST /rooms/{}/forget", "POST /rooms/{}/receipt/{}/{}", "POST /rooms/{}/read_markers", "PUT /rooms/{}/typing/{}",
        "POST /rooms/{}/report", "POST /rooms/{}/report/{}", "DELETE /directory/room/{}", "DELETE /directory/list/appservice/{}/{}",
        "PUT /io.element.msc4306/rooms/{}/thread/{}/subscription", "DELETE /io.element.msc4306/rooms/{}/thread/{}/subscription",
    ]

    private static let places = ["/rooms/", "/join/", "/knock/", "/createRoom", "/profile/", "/directory/"]

    private static func name(_ route: Route) -> String? {
        let segments = route.templates[0].split(separator: "/").map { $0.hasPrefix("{") ? "{}" : String($0) }
        guard segments.prefix(2) == ["_matrix", "client"] else { return nil }
        return "\(route.method.name) /" + segments.dropFirst(3).joined(separator: "/")
    }

    @Test("a route that changes rooms or profiles says what its callers do")
    func coverage() {
        let silent = Routes.all.filter { $0.method != .get && $0.access == .user && $0.deed == nil }.compactMap(Self.name)
        let missing = silent.filter { name in
            Self.places.contains { name.contains($0) } && !Self.decidedByHandler.contains(name) && !Self.harmless.contains(name)
        }
        // Account data and tags of rooms are the user's own.
        #expect(missing.filter { !$0.contains("/user/{}/rooms/") } == [])
    }

    @Test("routes that are excused are there")
    func excuses() {
        let names = Set(Routes.all.compactMap(Self.name))
        #expect(Self.decidedByHandler.union(Self.harmless).subtracting(names) == [])
    }

    @Test("pages run nothing but their own scripts, and stand in no frame")
    func policies() {
        let plain = PagePolicy.plain.header(nonce: "n0nce")
        #expect(
            plain.contains("default-src 'none'") && plain.contains("script-src 'nonce-n0nce';") && plain.contains("frame-ancestors 'none'"))
        #expect(plain.contains("form-action 'self'") && !plain.contains("unsafe-eval"))
    }
}
