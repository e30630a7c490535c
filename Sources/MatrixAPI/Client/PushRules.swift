// Push rules. Client-Server API §Push Rules: API.

import Homeserver
import MatrixCore

enum PushRuleRoutes {
    static let table: [Route] = [
        .client(.get, "/pushrules/", legacy: true, all),
        .client(.get, "/pushrules/global/{kind}", legacy: true, global),
        .client(.get, "/pushrules/global/{kind}/{ruleId}", legacy: true, rule),
        .client(.put, "/pushrules/global/{kind}/{ruleId}", legacy: true, put),
        .client(.delete, "/pushrules/global/{kind}/{ruleId}", legacy: true, remove),
        .client(.get, "/pushrules/global/{kind}/{ruleId}/{attribute}", legacy: true, attribute),
        .client(.put, "/pushrules/global/{kind}/{ruleId}/{attribute}", legacy: true, setAttribute),
    ]

    // MARK: Reading

    private static func all(_ context: APIContext) async throws -> APIResponse {
        .json(bytes: try await context.homeserver.pushRules.rendered(for: context.requester.user))
    }

    /// `/pushrules/global/`: the segment after `global` is empty.
    private static func global(_ context: APIContext) async throws -> APIResponse {
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
        guard let value = try JSONDocument(parsing: writer.bytes).root[name] else { throw MatrixError.unrecognized }
        return .object { $0.member(name, value) }
    }

    // MARK: Changing

    private static func put(_ context: APIContext) async throws -> APIResponse {
        let id = ByteString(try context.parameter("ruleId"))
        guard !id.isEmpty else { throw MatrixError.unrecognized }
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
        default: throw MatrixError.unrecognized
        }
        return .empty
    }

    // MARK: The path

    private static func kind(of context: APIContext) throws(MatrixError) -> PushRule.Kind {
        guard let kind = PushRule.Kind(rawValue: try context.parameter("kind")) else { throw .unrecognized }
        return kind
    }

    private static func rule(_ kind: PushRule.Kind, in ruleset: PushRuleset, _ context: APIContext) throws(MatrixError) -> PushRule {
        guard let rule = ruleset.rule(kind, ByteString(try context.parameter("ruleId"))) else {
            throw .notFound("Push rule not found")
        }
        return rule
    }

    private static let trailingSlashExpected = MatrixError(
        status: 404, errcode: "M_UNRECOGNIZED", message: "Unrecognised request: You probably wanted a trailing slash")
}
