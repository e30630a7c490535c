// What a handler gets: the server, the request, its path parameters, and who asks.

import Federation
import Homeserver
import MatrixCore

package struct APIContext: Sendable {
    package let homeserver: Homeserver
    package let request: APIRequest
    /// Who asks; nil where no token was sent (only on `.open` and `.optionalUser` routes).
    package let optionalRequester: Requester?
    /// Which server asks; nil but on `.federation` routes.
    private let federationOrigin: FederationOrigin?
    let parameters: PathParameters

    package init(
        homeserver: Homeserver, request: APIRequest, requester: Requester?, parameters: PathParameters, origin: FederationOrigin? = nil
    ) {
        federationOrigin = origin
        self.homeserver = homeserver
        self.request = request
        self.optionalRequester = requester
        self.parameters = parameters
    }

    /// Who asks.
    ///
    /// - Throws: `M_MISSING_TOKEN` where the route is open and no token was sent.
    package var requester: Requester {
        get throws(MatrixError) {
            guard let optionalRequester else { throw .missingToken }
            return optionalRequester
        }
    }

    /// Which server asks.
    ///
    /// - Throws: `M_UNAUTHORIZED` where the route is none for servers.
    package var origin: ServerName {
        get throws(MatrixError) {
            guard let federationOrigin else { throw .unauthorized("Missing Authorization headers") }
            return federationOrigin.server
        }
    }

    /// Whether another server asks.
    package var isFromServer: Bool { federationOrigin != nil }

    /// `{userId}` of the paths below `/user`, which is for that user alone.
    ///
    /// - Parameter refusal: what is said to everybody else, with `M_FORBIDDEN`.
    package func ownUser(_ refusal: String) throws(MatrixError) -> UserID {
        let user = try userID("userId")
        guard try requester.user == user else { throw .forbidden(refusal) }
        return user
    }

    // MARK: Path

    /// A path parameter, percent-decoded once: `%2F` in an identifier is part of it.
    package func parameter(_ name: String) throws(MatrixError) -> String {
        guard let raw = parameters.raw(name, in: request.target) else { throw .notFound("No parameter \(name)") }
        guard let value = PercentDecoding.decode(raw.utf8) else { throw .invalidParam("\(name) is not valid UTF-8") }
        return value
    }

    package func userID(_ name: String) throws(MatrixError) -> UserID { try identifier(name) }
    package func roomID(_ name: String) throws(MatrixError) -> RoomID { try identifier(name) }
    package func eventID(_ name: String) throws(MatrixError) -> EventID { try identifier(name) }
    package func roomAlias(_ name: String) throws(MatrixError) -> RoomAlias { try identifier(name) }
    package func deviceID(_ name: String) throws(MatrixError) -> DeviceID { try identifier(name) }

    /// `{roomIdOrAlias}`.
    package func roomIDOrAlias(_ name: String) throws(MatrixError) -> RoomIDOrAlias {
        let text = try parameter(name)
        if text.utf8.first == UInt8(ascii: "#") { return .alias(try parse(text, named: name)) }
        return .room(try parse(text, named: name))
    }

    /// The room that the path names by its id; nil where it names none, or an alias.
    var namedRoom: RoomID? {
        let raw = parameters.raw("roomId", in: request.target) ?? parameters.raw("roomIdOrAlias", in: request.target)
        return raw.flatMap { PercentDecoding.decode($0.utf8) }.flatMap { RoomID(valid: $0) }
    }

    private func identifier<ID: MatrixIdentifier>(_ name: String) throws(MatrixError) -> ID {
        try parse(parameter(name), named: name)
    }

    private func parse<ID: MatrixIdentifier>(_ text: String, named name: String) throws(MatrixError) -> ID {
        do { return try ID(parsing: text) } catch { throw .invalidParam("\(name): \(text) is not a valid \(ID.self)") }
    }

    // MARK: Query

    /// The first value of a query parameter, decoded; nil where it is absent or not UTF-8.
    package func query(_ name: String) -> String? { QueryString(request.rawQuery).first(name) }

    /// Every value of a query parameter, e.g. the `via` of a join.
    package func queryAll(_ name: String) -> [String] { QueryString(request.rawQuery).all(name) }

    /// - Throws: `M_INVALID_PARAM` where the value is not an integer.
    package func queryInt(_ name: String) throws(MatrixError) -> Int64? {
        guard let text = query(name) else { return nil }
        guard let value = Int64(text) else { throw .invalidParam("Query parameter \(name) must be an integer") }
        return value
    }

    /// - Throws: `M_INVALID_PARAM` where the value is neither `true` nor `false`.
    package func queryBool(_ name: String) throws(MatrixError) -> Bool? {
        switch query(name) {
        case nil: return nil
        case "true": return true
        case "false": return false
        default: throw .invalidParam("Query parameter \(name) must be one of [\"true\", \"false\"]")
        }
    }

    /// - Throws: `M_MISSING_PARAM`.
    package func requiredQuery(_ name: String) throws(MatrixError) -> String {
        guard let value = query(name) else { throw .missingParam("Missing query parameter \(name)") }
        return value
    }

    // MARK: Body

    /// The body, which must be a JSON object.
    ///
    /// - Throws: `M_NOT_JSON`; `M_BAD_JSON` where it is JSON but not an object.
    package func body() throws(MatrixError) -> JSON {
        // It was read to check the signature.
        if let content = federationOrigin?.content {
            guard content.isObject else { throw .badJSON("Content must be a JSON object.") }
            return content
        }
        let document: JSONDocument
        do { document = try JSONDocument(parsing: request.body, limits: .request) } catch { throw MatrixError(error) }
        guard document.root.kind == .object else { throw .badJSON("Content must be a JSON object.") }
        return document.root
    }

    /// The body, or an empty object where none was sent.
    package func optionalBody() throws(MatrixError) -> JSON {
        guard request.body.isEmpty else { return try body() }
        do { return try JSONDocument(parsing: Array("{}".utf8)).root } catch { throw MatrixError(error) }
    }
}

/// A path parameter that names a room by its id or by an alias.
package enum RoomIDOrAlias: Sendable, Hashable {
    case room(RoomID)
    case alias(RoomAlias)
}
