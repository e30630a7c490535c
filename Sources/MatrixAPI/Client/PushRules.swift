// Push rules. Client-Server API §Push Rules: API.

import Homeserver
import MatrixCore

enum PushRuleRoutes {
    /// The first segment is the scope, of which there is one: `global`. Another scope, kind or depth is refused with status 400, as
    /// Synapse does, and not with the 404 of a path that no endpoint has.
    static let table: [Route] = [
        .client(.get, "/pushrules/{scope}", legacy: true, all),
        .client(.put, "/pushrules/{scope}", legacy: true, incomplete),
        .client(.get, "/pushrules/{scope}/{kind}", legacy: true, global),
        .client(.put, "/pushrules/{scope}/{kind}", legacy: true, incomplete),
        .client(.get, "/pushrules/{scope}/{kind}/{ruleId}", legacy: true, rule),
        .client(.put, "/pushrules/{scope}/{kind}/{ruleId}", legacy: true, put),
        .client(.delete, "/pushrules/{scope}/{kind}/{ruleId}", legacy: true, remove),
        .client(.get, "/pushrules/{scope}/{kind}/{ruleId}/{attribute}", legacy: true, attribute),
        .client(.put, "/pushrules/{scope}/{kind}/{ruleId}/{attribute}", legacy: true, setAttribute),
    ]

    // MARK: Reading

    /// `/pushrules/`: the segment after it is empty.
    private static func all(_ context: APIContext) async throws -> APIResponse {
        let scope = try context.parameter("scope")
        guard scope.isEmpty else { throw scope == "global" ? trailingSlashExpected : unknownPath }
        return .json(bytes: try await context.homeserver.pushRules.rendered(for: context.requester.user))
    }

    /// `/pushrules/global/`: the segment after `global` is empty.
    private static func global(_ context: APIContext) async throws -> APIResponse {
        try requireGlobalScope(context)
        guard try context.parameter("kind").isEmpty else { throw trailingSlashExpected }
        let ruleset = try await context.homeserver.pushRules.ruleset(of: context.requester.user)
        return .json(capacity: 4096) { ruleset.write(to: &$0) }
    }

    /// One rule; or, where the id is empty, all of the kind.
    private static func rule(_ context: APIContext) async throws -> APIResponse {
        let kind = try kind(of: context)
        let ruleset = try await context.homeserver.pushRules.ruleset(of: context.requester.user)
        if try context.parameter("ruleId").isEmpty {
            return .json(capacity: 4096) { body in
                body.array { list in
                    for rule in ruleset.rules(of: kind) { rule.write(to: &list) }
                }
            }
        }
        let rule = try rule(kind, in: ruleset, context)
        return .json { rule.write(to: &$0) }
    }

    /// `enabled`, `actions`, or another member of a rule.
    private static func attribute(_ context: APIContext) async throws -> APIResponse {
        let ruleset = try await context.homeserver.pushRules.ruleset(of: context.requester.user)
        let rule = try rule(kind(of: context), in: ruleset, context)
        var writer = JSONWriter()
        rule.write(to: &writer)
        let name = try context.parameter("attribute")
        guard let value = try JSONDocument(parsing: writer.bytes).root[name] else { throw unknownPath }
        return .object { $0.member(name, value) }
    }

    // MARK: Changing

    /// A change of something that is not a rule.
    private static func incomplete(_ context: APIContext) async throws -> APIResponse { throw unknownPath }

    private static func put(_ context: APIContext) async throws -> APIResponse {
        let id = ByteString(try context.parameter("ruleId"))
        guard !id.isEmpty else { throw unknownPath }
        let rule = try PushRule(kind(of: context), id: id, json: context.body())
        let place = PushRuleChanges.Place(before: context.query("before"), after: context.query("after"))
        try await context.homeserver.pushRules.put(rule, at: place, for: context.requester.user)
        return .empty
    }

    private static func remove(_ context: APIContext) async throws -> APIResponse {
        let id = ByteString(try context.parameter("ruleId"))
        try await context.homeserver.pushRules.remove(kind(of: context), id, of: context.requester.user)
        return .empty
    }

    private static func setAttribute(_ context: APIContext) async throws -> APIResponse {
        let (kind, id) = (try kind(of: context), ByteString(try context.parameter("ruleId")))
        let (rules, user) = (context.homeserver.pushRules, try context.requester.user)
        switch try context.parameter("attribute") {
        case "enabled": try await rules.setEnabled(try context.body().requiredBool("enabled"), kind, id, of: user)
        case "actions": try await rules.setActions(try PushRule.actions(context.body()["actions"]), kind, id, of: user)
        default: throw unknownPath
        }
        return .empty
    }

    // MARK: The path

    private static func requireGlobalScope(_ context: APIContext) throws(MatrixError) {
        guard try context.parameter("scope") == "global" else { throw unknownPath }
    }

    private static func kind(of context: APIContext) throws(MatrixError) -> PushRule.Kind {
        try requireGlobalScope(context)
        guard let kind = PushRule.Kind(rawValue: try context.parameter("kind")) else { throw unknownPath }
        return kind
    }

    private static func rule(_ kind: PushRule.Kind, in ruleset: PushRuleset, _ context: APIContext) throws(MatrixError) -> PushRule {
        guard let rule = ruleset.rule(kind, ByteString(try context.parameter("ruleId"))) else {
            throw .notFound("Push rule not found")
        }
        return rule
    }

    private static let unknownPath = MatrixError(status: 400, errcode: "M_UNRECOGNIZED", message: "Unrecognized request")

    private static let trailingSlashExpected = MatrixError(
        status: 400, errcode: "M_UNRECOGNIZED", message: "Unrecognised request: You probably wanted a trailing slash")
}
