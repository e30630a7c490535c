// Managing events that wait for their time. MSC4140.

import Homeserver
import MatrixCore
import Persistence

enum DelayedEventRoutes {
    private static let prefix = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"

    /// Who knows the id of a delayed event may manage it, without a token: a call's media server does.
    static let table: [Route] =
        [
            Route(.get, prefix, list),
            Route(.get, prefix + "/{delayId}", show),
            Route(.post, prefix + "/{delayId}", access: .optionalUser, update),
        ]
        + actions.map { name, action in
            Route(.post, "\(prefix)/{delayId}/\(name)", access: .optionalUser) { try await perform(action, $0) }
        }

    private typealias Action = @Sendable (DelayedEventService, String) async throws -> Void

    private static let actions: [(name: String, action: Action)] = [
        ("cancel", { try await $0.cancel($1) }),
        ("restart", { try await $0.restart($1) }),
        ("send", { try await $0.send($1) }),
    ]

    private static func list(_ context: APIContext) async throws -> APIResponse {
        try checkRate(context)
        let events = try await context.homeserver.delayedEvents.events(of: try context.requester.user)
        return .object { body in
            body.member("delayed_events", array: { list in for event in events { list.object { write(event, to: &$0) } } })
        }
    }

    private static func show(_ context: APIContext) async throws -> APIResponse {
        try checkRate(context)
        let event = try await context.homeserver.delayedEvents.event(try context.parameter("delayId"))
        guard event.user == (try context.requester.user) else { throw MatrixError.notFound("Delayed event not found") }
        return .object { write(event, to: &$0) }
    }

    /// The action by name in the body: the form of older clients.
    private static func update(_ context: APIContext) async throws -> APIResponse {
        guard let name = try context.body().optionalString("action") else { throw MatrixError.missingParam("'action' is missing") }
        guard let action = actions.first(where: { $0.name == name })?.action else {
            let known = actions.map { "'\($0.name)'" }.joined(separator: ", ")
            throw MatrixError.invalidParam("'action' is not one of \(known)")
        }
        return try await perform(action, context)
    }

    private static func perform(_ action: Action, _ context: APIContext) async throws -> APIResponse {
        try checkRate(context)
        try await action(context.homeserver.delayedEvents, try context.parameter("delayId"))
        return .empty
    }

    private static func checkRate(_ context: APIContext) throws(MatrixError) {
        let subject = context.optionalRequester?.user.text ?? ByteString(context.request.remoteAddress)
        try context.homeserver.rateLimits.check(.delayedEventManagement, of: subject)
    }

    private static func write(_ event: DelayedEventRow, to body: inout JSONWriter) {
        body.member("delay_id", event.id)
        body.member("room_id", event.room)
        body.member("type", event.type.string)
        if let stateKey = event.stateKey { body.member("state_key", stateKey.string) }
        // Both by their names of now and by those that clients know from before.
        let start = event.due.milliseconds - event.delay
        for name in ["delay_ms", "delay"] { body.member(name, event.delay) }
        for name in ["delayed_since_ts", "running_since"] { body.member(name, start) }
        body.member("content", raw: event.content)
    }
}
