// The stages of one operation that needs more than an access token, as a value.
// Client-Server API §User-Interactive Authentication API.

import MatrixCore

/// The state of one session: what is to be authorised, and which stages are done.
package struct InteractiveAuthSession: Sendable {
    /// What a session authorises. A session begun for one operation is refused for another.
    package struct Operation: Sendable, Hashable {
        package let method: String
        package let path: String
        /// Who asks; nil before login.
        package let user: UserID?

        package init(method: String, path: String, user: UserID?) {
            self.method = method
            self.path = path
            self.user = user
        }
    }

    /// A way to the end: the stages that must all be done.
    package typealias Flow = [String]

    /// What a submission leads to.
    package enum Action: Equatable {
        /// Answer 401 with the flows.
        case ask
        /// Check the credentials of this stage, then report the outcome by `complete` or ask with the error.
        case verify(stage: String)
        /// Every stage of a flow is done.
        case proceed
    }

    package let id: String
    package let operation: Operation
    /// The body of the request that opened the session or of a later one, without `auth` and secrets.
    package private(set) var parameters: JSONObject
    /// The stages done, in the order in which they were.
    package private(set) var completed: [String] = []
    private var results: [String: StageResult] = [:]
    /// A password hash made from an earlier request of the session: later ones need not repeat the password.
    package var passwordHash: String?
    /// The guest whose account the session makes a person's.
    package var guest: UserID?
    /// The account that this session has registered: a repeated request gets the same one.
    package var registeredUser: UserID?

    package init(id: String, operation: Operation, parameters: JSONObject) {
        self.id = id
        self.operation = operation
        self.parameters = parameters
    }

    /// Whose credentials a stage has found right; nil while none asked for an account's.
    package var provenUser: UserID? { completed.lazy.compactMap { results[$0]?.user }.first }

    /// The addresses and numbers that were shown to be somebody's: one for each stage that asked for one.
    package var provenThirdPartyIDs: [ProvenThirdPartyID] { completed.compactMap { results[$0]?.thirdPartyID } }

    package func isComplete(_ flows: [Flow]) -> Bool {
        flows.contains { flow in flow.allSatisfy(completed.contains) }
    }

    /// Takes over the body of a further request. An empty one leaves the earlier parameters.
    ///
    /// - Returns: whether anything has changed.
    package mutating func resume(with parameters: JSONObject) -> Bool {
        guard !parameters.isEmpty, parameters != self.parameters else { return false }
        self.parameters = parameters
        return true
    }

    /// What to do about a request that presents `stage`, or none.
    ///
    /// - Parameter voluntary: stages that may be done although no flow asks for them.
    package func action(presenting stage: String?, of flows: [Flow], voluntary: Set<String> = []) -> Action {
        if let stage, !completed.contains(stage), voluntary.contains(stage) || flows.contains(where: { $0.contains(stage) }) {
            return .verify(stage: stage)
        }
        return isComplete(flows) ? .proceed : .ask
    }

    package mutating func complete(_ stage: String, with result: StageResult = StageResult()) {
        if !completed.contains(stage) { completed.append(stage) }
        results[stage] = result
    }

    /// The body of the 401 answer: what can be done, what is done, and why the last stage failed.
    ///
    /// - Parameter parameters: what clients are told of a stage.
    package func challenge(_ flows: [Flow], parameters: (String) -> JSONObject? = { _ in nil }, error: MatrixError? = nil) -> [UInt8] {
        var stages: [String] = []
        for stage in flows.joined() where !stages.contains(stage) { stages.append(stage) }
        var writer = JSONWriter()
        writer.object { body in
            body.member("session", id)
            body.member(
                "flows",
                array: { list in
                    for flow in flows { list.object { $0.member("stages", flow) } }
                })
            body.member(
                "params",
                object: { params in
                    for stage in stages {
                        if let value = parameters(stage) { params.member(stage, .object(value)) }
                    }
                })
            if !completed.isEmpty || error != nil { body.member("completed", completed) }
            if let error {
                body.member("errcode", error.errcode)
                body.member("error", error.message)
            }
        }
        return writer.bytes
    }
}
