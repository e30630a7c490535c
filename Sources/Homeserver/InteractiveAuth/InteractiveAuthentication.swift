// The sessions of user-interactive authentication. Client-Server API §User-Interactive Authentication API.

import MatrixCore
import Persistence
import Synchronization

/// Thrown where a request needs (further) authentication: the answer is 401 with this body.
package struct InteractiveAuthRequired: Error, Sendable {
    package let body: [UInt8]
    /// The session that the answer names.
    package let session: String
}

/// Leads requests through the stages of their flows. Sessions are in the database, under the hash of their ids: they survive a restart,
/// and nobody who reads the database can go on with one.
package struct InteractiveAuthentication: Sendable {
    /// How long a session lives from its first request, in milliseconds.
    private static let lifetime: Int64 = 48 * 3600 * 1000
    /// How many sessions there are in which nothing is done, and how many others: anyone can open them.
    private static let capacity = 10_000
    /// How many sessions open between two looks at their number.
    private static let trimInterval = 256
    /// Bytes of the parameters that a session keeps, for those who are logged in and for others.
    private static let parameterLimits = (user: 256 * 1024, stranger: 8 * 1024)

    private final class Counter: Sendable {
        let opened = Atomic(0)
    }

    private let database: any Database
    private let stages: [String: any InteractiveAuthStage]
    private let voluntary: Set<String>
    private let counter = Counter()

    /// - Parameter stages: those that the configuration allows.
    package init(database: any Database, stages: [any InteractiveAuthStage]) {
        self.database = database
        self.stages = Dictionary(stages.map { ($0.type, $0) }) { first, _ in first }
        voluntary = Set(stages.filter(\.isVoluntary).map(\.type))
    }

    /// The stage of this type, where the configuration allows it.
    package func stage(_ type: String) -> (any InteractiveAuthStage)? { stages[type] }

    /// Checks whether `body` carries what `flows` ask for.
    ///
    /// - Parameters:
    ///   - body: the whole body of the request.
    ///   - secrets: members of the body that are not kept in the session.
    ///   - guest: whose account the session will make a person's.
    ///   - address: where the request comes from.
    /// - Returns: the session, with all stages of a flow done.
    /// - Throws: `InteractiveAuthRequired`, or `MatrixError` for a malformed request or one of another operation.
    package func authenticate(
        _ operation: InteractiveAuthSession.Operation, body: JSON, flows: [InteractiveAuthSession.Flow], secrets: [String] = ["password"],
        guest: UserID? = nil, from address: String
    ) async throws -> InteractiveAuthSession {
        let auth = try Self.auth(in: body)
        let stage = try Self.stage(in: auth)
        let parameters = Self.parameters(of: body, without: ["auth"] + secrets)
        try Self.checkSize(of: parameters, operation)
        var session: InteractiveAuthSession
        var isStored = false
        if let id = try Self.sessionID(in: auth) {
            session = try await known(id, for: operation)
            isStored = true
            if session.resume(with: parameters) {
                let (hash, bytes) = (Self.hash(id), JSONValue.object(parameters).canonicalBytes)
                try await database.write { try InteractiveAuthStore.setParameters(bytes, of: hash, on: $0) }
            }
        } else {
            session = InteractiveAuthSession(id: SessionToken.randomLetters(24), operation: operation, parameters: parameters)
            session.guest = guest
        }

        switch session.action(presenting: stage, of: flows, voluntary: voluntary) {
        case .proceed:
            return session
        case .ask:
            if !isStored { try await store(session) }
            throw challenge(session, flows)
        case .verify(let type):
            // A session that is done with its first request is never seen again, and not stored.
            do {
                let outcome = try await verify(type, auth ?? body, session, from: address)
                let completed = completing(type, outcome, of: session)
                if isStored || outcome.alongside != nil || !completed.isComplete(flows) {
                    if !isStored { try await store(session) }
                    isStored = true
                    try await note(type, outcome, of: session)
                    // Another request of the session may have run in the meantime.
                    session = try await known(session.id, for: operation)
                } else {
                    session = completed
                }
            } catch let error as MatrixError where (400..<500).contains(error.status) && error.status != 429 {
                if !isStored { try await store(session) }
                throw challenge(session, flows, error)
            }
            guard session.isComplete(flows) else { throw challenge(session, flows) }
            return session
        }
    }

    /// Does a stage for somebody who comes another way than the client: on a fallback page, or back from a third party.
    ///
    /// - Throws: `MatrixError`: what the stage says, or that session or stage are not known.
    package func present(_ type: String, auth: JSON, session id: String, from address: String) async throws {
        let session = try await session(id)
        guard !session.completed.contains(type) else { return }
        try await note(type, try await verify(type, auth, session, from: address), of: session)
    }

    /// Notes a stage as done whose outcome is already known.
    package func complete(_ type: String, with outcome: StageOutcome, session id: String) async throws {
        try await note(type, outcome, of: try await session(id))
    }

    // MARK: Sessions

    /// A session, whatever it is for.
    ///
    /// - Throws: `M_UNKNOWN` (400) where there is none, or it is too old.
    package func session(_ id: String) async throws -> InteractiveAuthSession {
        let hash = Self.hash(id)
        let stored = try await database.read { connection in
            try InteractiveAuthStore.session(hash, on: connection).map { ($0, try InteractiveAuthStore.stages(hash, on: connection)) }
        }
        guard let (row, stages) = stored, Timestamp.now.milliseconds - row.created.milliseconds < Self.lifetime else {
            throw MatrixError.unknown("Unknown session ID", status: 400)
        }
        let operation = InteractiveAuthSession.Operation(method: row.method, path: row.path, user: row.user)
        var session = InteractiveAuthSession(
            id: id, operation: operation, parameters: JSONObject(try JSONDocument(parsing: row.parameters, limits: .request).root))
        session.passwordHash = row.passwordHash
        session.guest = row.guest
        session.registeredUser = row.registered
        for (stage, result) in stages { session.complete(stage, with: try StageResult(json: result)) }
        return session
    }

    /// The session that a request names, if it does and there is one for this operation.
    package func session(named body: JSON, for operation: InteractiveAuthSession.Operation) async throws -> InteractiveAuthSession? {
        guard let id = try Self.sessionID(in: Self.auth(in: body)) else { return nil }
        return try await known(id, for: operation)
    }

    /// Keeps the hash of a new password that came with an unfinished request: later ones of the session need not repeat it.
    package func keep(_ password: String?, of challenge: InteractiveAuthRequired, hashedBy hasher: PasswordHasher) async throws {
        guard let password, try await session(challenge.session).passwordHash == nil else { return }
        let passwordHash = try await hasher.hash(password)
        let hash = Self.hash(challenge.session)
        try await database.write { try InteractiveAuthStore.keepPasswordHash(passwordHash, of: hash, on: $0) }
    }

    /// Ends a session before its time: what it has shown is good for nothing more.
    package func end(_ session: InteractiveAuthSession) async throws {
        let hash = Self.hash(session.id)
        try await database.write { try InteractiveAuthStore.delete(hash, on: $0) }
    }

    /// Removes sessions that are too old.
    package func sweep() async throws {
        let edge = Timestamp.now.advanced(byMilliseconds: -Self.lifetime)
        try await database.write { try InteractiveAuthStore.deleteSessions(createdBefore: edge, on: $0) }
    }

    /// Under what a session is stored.
    static func hash(_ id: String) -> [UInt8] { SHA256Hash.hash(Array(id.utf8)) }

    // MARK: Steps

    private func known(_ id: String, for operation: InteractiveAuthSession.Operation) async throws -> InteractiveAuthSession {
        let session = try await session(id)
        guard session.operation == operation else {
            throw MatrixError.forbidden("Requested operation has changed during the UI authentication session.")
        }
        return session
    }

    private func verify(
        _ type: String, _ auth: JSON, _ session: InteractiveAuthSession, from address: String
    ) async throws -> StageOutcome {
        guard let stage = stages[type] else { throw MatrixError.notFound("Unknown auth stage type") }
        return try await stage.verify(StageSubmission(auth: auth, session: session, address: address))
    }

    private func completing(_ type: String, _ outcome: StageOutcome, of session: InteractiveAuthSession) -> InteractiveAuthSession {
        var session = session
        session.complete(type, with: outcome.result)
        return session
    }

    private func note(_ type: String, _ outcome: StageOutcome, of session: InteractiveAuthSession) async throws {
        let hash = Self.hash(session.id)
        try await database.write { connection in
            let isNew = try InteractiveAuthStore.complete(
                type, of: hash, result: outcome.result.json, token: outcome.result.token, at: .now, on: connection)
            if isNew { try outcome.alongside?(connection) }
        }
    }

    private func store(_ session: InteractiveAuthSession) async throws {
        let row = InteractiveAuthRow(
            created: .now, method: session.operation.method, path: session.operation.path, user: session.operation.user,
            parameters: JSONValue.object(session.parameters).canonicalBytes, guest: session.guest)
        let hash = Self.hash(session.id)
        let isTrimmed = counter.opened.add(1, ordering: .relaxed).newValue % Self.trimInterval == 0
        try await database.write { connection in
            try InteractiveAuthStore.insert(row, hash: hash, on: connection)
            if isTrimmed { try InteractiveAuthStore.trim(to: Self.capacity, on: connection) }
        }
    }

    private func challenge(
        _ session: InteractiveAuthSession, _ flows: [InteractiveAuthSession.Flow], _ error: MatrixError? = nil
    ) -> InteractiveAuthRequired {
        InteractiveAuthRequired(body: session.challenge(flows, parameters: { stages[$0]?.parameters }, error: error), session: session.id)
    }

    private static func checkSize(of parameters: JSONObject, _ operation: InteractiveAuthSession.Operation) throws(MatrixError) {
        let limit = operation.user == nil ? parameterLimits.stranger : parameterLimits.user
        guard JSONValue.object(parameters).canonicalBytes.count <= limit else { throw .tooLarge("The request's body is too large") }
    }

    // MARK: The `auth` object

    private static func auth(in body: JSON) throws(MatrixError) -> JSON? {
        guard let auth = body["auth"], !auth.isNull else { return nil }
        guard auth.kind == .object else { throw .badJSON("'auth' must be an object") }
        return auth
    }

    private static func sessionID(in auth: JSON?) throws(MatrixError) -> String? {
        guard let session = auth?["session"], !session.isNull else { return nil }
        guard let id = session.string else { throw .badJSON("'session' must be a string") }
        return id
    }

    private static func stage(in auth: JSON?) throws(MatrixError) -> String? {
        guard let type = auth?["type"], !type.isNull else { return nil }
        guard let stage = type.string else { throw .badJSON("'type' must be a string") }
        return stage
    }

    private static func parameters(of body: JSON, without omitted: [String]) -> JSONObject {
        var parameters = JSONObject()
        for (key, value) in body.members where !omitted.contains(key.string) { parameters[key.string] = value.value }
        return parameters
    }
}
