// The sessions of user-interactive authentication. Client-Server API §User-Interactive Authentication API.

import MatrixCore
import Persistence

/// Thrown where a request needs (further) authentication: the answer is 401 with this body.
package struct InteractiveAuthRequired: Error, Sendable {
    package let body: [UInt8]
    /// The session that the answer names.
    package let session: String

    init(_ session: InteractiveAuthSession, error: MatrixError? = nil) {
        body = session.challenge(error: error)
        self.session = session.id
    }
}

/// Leads requests through the stages of their flows. Sessions are in memory: after a restart a client that was in the
/// middle begins again.
package actor InteractiveAuthentication {
    /// How long a session lives after its last request, in milliseconds.
    private static let lifetime: Int64 = 48 * 3600 * 1000
    /// Sessions beyond this number push out the oldest: anyone can open them.
    private static let capacity = 4096

    private struct Entry {
        var session: InteractiveAuthSession
        var touched: Timestamp
    }

    private var entries: [ByteString: Entry] = [:]

    package init() {}

    /// Checks whether `body` carries what `flows` ask for.
    ///
    /// - Parameters:
    ///   - body: the whole body of the request.
    ///   - secrets: members of the body that are not kept in the session.
    ///   - verify: checks the credentials (the `auth` object) of a stage, and tells whose they are where they are an account's.
    /// - Returns: the session, with all stages of a flow done.
    /// - Throws: `InteractiveAuthRequired`, or `MatrixError` for a malformed request or one of another operation.
    package func authenticate(
        _ operation: InteractiveAuthSession.Operation, body: JSON, flows: [InteractiveAuthSession.Flow], secrets: [String] = ["password"],
        verify: @Sendable (_ stage: String, _ auth: JSON) async throws -> UserID?
    ) async throws -> InteractiveAuthSession {
        let auth = try Self.auth(in: body)
        let parameters = Self.parameters(of: body, without: ["auth"] + secrets)
        var session: InteractiveAuthSession
        if let id = try Self.sessionID(in: auth) {
            session = try known(ByteString(id), for: operation)
            session.resume(with: parameters)
        } else {
            session = InteractiveAuthSession(
                id: SessionToken.randomLetters(24), operation: operation, flows: flows, parameters: parameters)
        }
        store(session)
        let stage = try Self.stage(in: auth)
        switch session.action(presenting: stage) {
        case .proceed:
            return session
        case .ask:
            throw InteractiveAuthRequired(session)
        case .verify(let stage):
            guard let auth else { throw InteractiveAuthRequired(session) }
            let user: UserID?
            do {
                user = try await verify(stage, auth)
            } catch let error as MatrixError where (400..<500).contains(error.status) && error.status != 429 {
                throw InteractiveAuthRequired(session, error: error)
            }
            // Another request of the session may have run during `verify`: add to what is stored now.
            return try complete(stage, by: user, of: session)
        }
    }

    /// The session that a request names, if it does and there is one for this operation.
    package func session(named body: JSON, for operation: InteractiveAuthSession.Operation) throws -> InteractiveAuthSession? {
        guard let id = try Self.sessionID(in: Self.auth(in: body)) else { return nil }
        return try known(ByteString(id), for: operation)
    }

    /// Keeps the hash of a new password that came with an unfinished request: later ones of the session need not repeat it.
    package func keep(_ password: String?, of challenge: InteractiveAuthRequired, hashedBy hasher: PasswordHasher) async throws {
        let id = ByteString(challenge.session)
        guard let password, let entry = entries[id], entry.session.passwordHash == nil else { return }
        entries[id]?.session.passwordHash = try await hasher.hash(password)
    }

    /// Notes the account that the session has made.
    package func setRegisteredUser(_ user: UserID, session id: String) {
        entries[ByteString(id)]?.session.registeredUser = user
    }

    // MARK: Steps

    private func known(_ id: ByteString, for operation: InteractiveAuthSession.Operation) throws(MatrixError) -> InteractiveAuthSession {
        guard let entry = entries[id], Timestamp.now.milliseconds - entry.touched.milliseconds < Self.lifetime else {
            entries[id] = nil
            throw .unknown("Unknown session ID", status: 400)
        }
        guard entry.session.operation == operation else {
            throw .forbidden("Requested operation has changed during the UI authentication session.")
        }
        return entry.session
    }

    private func store(_ session: InteractiveAuthSession) {
        let now = Timestamp.now
        if entries.count >= Self.capacity, entries[ByteString(session.id)] == nil { evict(now: now) }
        entries[ByteString(session.id)] = Entry(session: session, touched: now)
    }

    /// Removes what has expired, and the older half of the rest: rare, and so cheap for each session.
    private func evict(now: Timestamp) {
        let ages = entries.values.map(\.touched.milliseconds).sorted()
        let oldest = max(now.milliseconds - Self.lifetime, ages[ages.count / 2])
        entries = entries.filter { $0.value.touched.milliseconds > oldest }
    }

    private func complete(
        _ stage: String, by user: UserID?, of session: InteractiveAuthSession
    ) throws(InteractiveAuthRequired) -> InteractiveAuthSession {
        var session = entries[ByteString(session.id)]?.session ?? session
        session.complete(stage, by: user)
        store(session)
        guard session.isComplete else { throw InteractiveAuthRequired(session) }
        return session
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
