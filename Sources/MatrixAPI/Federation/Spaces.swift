// A space and its children, for other servers. Server-Server API §Spaces.

import Homeserver
import MatrixCore
import Rooms

enum FederationSpaceRoutes {
    static let table: [Route] = [.federation(.get, "/hierarchy/{roomId}", hierarchy)]

    private static func hierarchy(_ context: APIContext) async throws -> APIResponse {
        let view = try await context.homeserver.spaces.view(
            of: context.roomID("roomId"), suggestedOnly: context.queryBool("suggested_only") ?? false, for: context.origin)
        return .object(capacity: 1024 * (view.children.count + view.space.children.count + 1)) { body in
            body.member(
                "room",
                object: { room in
                    view.space.appearance.write(to: &room)
                    room.member("children_state", array: { list in for child in view.space.children { list.raw(child) } })
                })
            body.member("children", array: { list in for child in view.children { list.object { child.write(to: &$0) } } })
            body.member("inaccessible_children", view.inaccessible)
        }
    }
}
