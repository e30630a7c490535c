// What other servers are asked so that users come into rooms and out of them. Server-Server API §Joining Rooms, §Knocking upon a room,
// §Inviting to a room, §Leaving Rooms.

import MatrixCore

/// The three changes of a membership for which another server is asked for a template.
package enum TemplateKind: String, Sendable {
    case join, leave, knock
}

/// What a server proposes as the event by which a user joins, leaves or knocks.
package struct MembershipTemplate: Sendable {
    package let version: RoomVersion
    package let event: JSONObject
}

/// What a server answers to a join.
package struct JoinAnswer: Sendable {
    package let state: [JSON]
    package let authChain: [JSON]
    /// The join as it was let in: with another signature where a server has authorised it.
    package let event: JSON?
    /// The servers that were in the room before the join, where members were left out of the state; nil: none were.
    package let serversInRoom: [ServerName]?
}

extension FederationClient {
    /// The answer to a join of the largest rooms, in bytes.
    private static let joinBodyLimit = 256 * 1024 * 1024
    /// Servers take their time over joins of large rooms.
    private static let joinTimeout: Duration = .seconds(180)

    /// - Throws: `.malformed` for what does not fit the question.
    func template(
        _ kind: TemplateKind, of user: UserID, in room: RoomID, at server: ServerName
    ) async throws(FederationFailure) -> MembershipTemplate {
        // A leave is possible in every version; the others say which ones we know.
        let versions = kind == .leave ? [] : RoomVersion.all.map { ("ver", $0.id) }
        let answer = try await json(
            .federation("GET", to: server, path: ["make_\(kind.rawValue)", room.string, user.string], query: versions))
        let name = answer["room_version"]?.string ?? "1"
        guard let version = RoomVersion.named(name) else { throw .answered(.incompatibleRoomVersion(name)) }
        guard let event = answer["event"], event.isObject, event["type"]?.isString("m.room.member") == true,
            event["room_id"]?.isString(room.string) == true, event["sender"]?.isString(user.string) == true,
            event["state_key"]?.isString(user.string) == true, event["content"]?["membership"]?.isString(kind.rawValue) == true
        else { throw .malformed("its template is of another event") }
        return MembershipTemplate(version: version, event: JSONObject(event))
    }

    /// - Parameter omitsMembers: most members may be left out of the answer; whether they are, the other server decides.
    func sendJoin(_ event: Event, to server: ServerName, omitsMembers: Bool) async throws(FederationFailure) -> JoinAnswer {
        var request = FederationRequest.federation(
            "PUT", to: server, version: "v2", path: ["send_join", event.roomID.string, event.id.string],
            query: [("omit_members", omitsMembers ? "true" : "false")], content: event.json)
        request.bodyLimit = Self.joinBodyLimit
        request.timeout = Self.joinTimeout
        let answer = try await inEitherForm(request)
        guard let state = answer["state"], state.isArray, let chain = answer["auth_chain"], chain.isArray else {
            throw .malformed("its answer to a join has no state")
        }
        var servers: [ServerName]?
        if omitsMembers, answer["members_omitted"]?.bool == true {
            guard let list = answer["servers_in_room"], list.isArray else { throw .malformed("it does not say who is in the room") }
            servers = list.elements.compactMap { $0.string.flatMap { ServerName(valid: $0) } }
        }
        return JoinAnswer(state: Array(state.elements), authChain: Array(chain.elements), event: answer["event"], serversInRoom: servers)
    }

    func sendLeave(_ event: Event, to server: ServerName) async throws(FederationFailure) {
        _ = try await inEitherForm(
            .federation("PUT", to: server, version: "v2", path: ["send_leave", event.roomID.string, event.id.string], content: event.json))
    }

    /// Asks in the second form, and of a server that does not know that in the first: its answers are lists of a status and an object.
    private func inEitherForm(_ request: FederationRequest) async throws(FederationFailure) -> JSON {
        do {
            return try await json(request)
        } catch {
            guard case .answered(let answer) = error, answer.isOfUnknownEndpoint else { throw error }
        }
        var older = request
        older.uri = "/_matrix/federation/v1/" + request.uri.dropFirst("/_matrix/federation/v2/".count)
        let list = try await send(older).json()
        guard list.isArray, let answer = list[1], answer.isObject else { throw .malformed("its answer is not in the first form") }
        return answer
    }

    /// - Returns: the stripped state of the room.
    func sendKnock(_ event: Event, to server: ServerName) async throws(FederationFailure) -> JSON? {
        try await json(
            .federation("PUT", to: server, path: ["send_knock", event.roomID.string, event.id.string], content: event.json)
        )["knock_room_state"]
    }

    /// Asks the server of an invited user to sign the invite.
    ///
    /// - Parameter state: JSON values, what the user may know of the room: events.
    func sendInvite(_ event: Event, state: [[UInt8]], to server: ServerName) async throws(FederationFailure) -> JSON {
        var body = JSONWriter(capacity: event.json.count + 1024)
        body.object { body in
            body.member("event", raw: event.json)
            body.member("invite_room_state", array: { list in for event in state { list.raw(event) } })
            body.member("room_version", event.version.id)
        }
        let content: [UInt8]
        do { content = try JSONDocument(parsing: body.bytes, limits: .lenientEvent).root.canonicalBytes } catch {
            throw .malformed("the invite is no JSON: \(error)")
        }
        let answer: JSON
        do {
            answer = try await json(
                .federation("PUT", to: server, version: "v2", path: ["invite", event.roomID.string, event.id.string], content: content))
        } catch {
            guard case .answered(let refusal) = error, refusal.isOfUnknownEndpoint, event.version.isOfFirstInviteForm else { throw error }
            answer = try await sendInviteInFirstForm(event, state, to: server)
        }
        guard let signed = answer["event"], signed.isObject else { throw .malformed("it has not signed the invite") }
        return signed
    }

    /// What there is to know of the room stands in the event.
    private func sendInviteInFirstForm(
        _ event: Event, _ state: [[UInt8]], to server: ServerName
    ) async throws(FederationFailure) -> JSON {
        var writer = JSONWriter(capacity: 1024)
        writer.array { list in for event in state { list.raw(event) } }
        let content: [UInt8]
        do {
            var pdu = JSONObject(try event.document())
            pdu["unsigned"] = ["invite_room_state": JSONValue(try JSONDocument(parsing: writer.bytes, limits: .lenientEvent).root)]
            content = pdu.canonicalBytes
        } catch {
            throw .malformed("the invite is no JSON: \(error)")
        }
        let list = try await send(
            .federation("PUT", to: server, path: ["invite", event.roomID.string, event.id.string], content: content)
        ).json()
        guard list.isArray, let answer = list[1] else { throw .malformed("its answer is not in the first form") }
        return answer
    }
}

extension MatrixError {
    /// What servers answer who do not know an endpoint.
    var isOfUnknownEndpoint: Bool {
        (status == 404 || status == 405) && (errcode == "M_UNRECOGNIZED" || errcode == "M_UNKNOWN")
    }
}

extension RoomVersion {
    /// Whether servers that know the first form of invites only may know rooms of this version.
    fileprivate var isOfFirstInviteForm: Bool { self == .v1 || self == .v2 }
}
