// Where a device that is logged in and one that is to be meet. MSC4108 (2024), which speaks by headers; MSC4388, which speaks by JSON.

import Homeserver
import MatrixCore
import Persistence

enum RendezvousRoutes {
    private static let place = "/_synapse/client/rendezvous/{id}"
    private static let jsonPath = "/io.element.msc4388/rendezvous"
    /// Beyond what is taken, so that a message that is a little too long gets its answer.
    private static let bodyLimit = 32 * 1024

    static let table: [Route] = [
        .client(.post, "/org.matrix.msc4108/rendezvous", versions: ["unstable"], access: .open, bodyLimit: bodyLimit, begin),
        Route(.get, place, access: .open, read),
        Route(.put, place, access: .open, bodyLimit: bodyLimit, write),
        Route(.delete, place, access: .open, end),
        .client(.get, jsonPath, versions: ["unstable"], access: .optionalUser, jsonAvailable),
        .client(.post, jsonPath, versions: ["unstable"], access: .optionalUser, bodyLimit: bodyLimit, jsonBegin),
        .client(.get, jsonPath + "/{id}", versions: ["unstable"], access: .open, jsonRead),
        .client(.put, jsonPath + "/{id}", versions: ["unstable"], access: .open, bodyLimit: bodyLimit, jsonWrite),
        .client(.delete, jsonPath + "/{id}", versions: ["unstable"], access: .open, jsonEnd),
    ]

    // MARK: MSC4108

    private static func begin(_ context: APIContext) throws -> APIResponse {
        let options = context.homeserver.configuration.login.rendezvous
        if let endpoint = options.delegationEndpoint {
            return APIResponse(status: 307, contentType: "text/plain; charset=utf-8", headers: [("Location", endpoint)], body: [])
        }
        let places = try places(context)
        try checkContentType(context.request)
        try context.homeserver.rateLimits.check(.rendezvous, of: ByteString(context.request.remoteAddress))
        let (id, session) = try places.begin(context.request.body)
        let url = "\(context.homeserver.configuration.publicBaseURL)_synapse/client/rendezvous/\(id)"
        var response = APIResponse.object(status: 201) { $0.member("url", url) }
        response.headers = headers(of: session)
        return response
    }

    private static func read(_ context: APIContext) throws -> APIResponse {
        let session = try places(context).session(try context.parameter("id"))
        let isKnown = tags(context.request.headers["If-None-Match"]).map { $0.contains("*") || $0.contains(session.tag) } ?? false
        guard !isKnown else { return APIResponse(status: 304, headers: headers(of: session), body: []) }
        return .bytes(session.data, contentType: "text/plain", headers: headers(of: session))
    }

    private static func write(_ context: APIContext) throws -> APIResponse {
        let places = try places(context)
        try checkContentType(context.request)
        guard let tags = tags(context.request.headers["If-Match"]) else {
            throw MatrixError.missingParam("Missing required header: if-match")
        }
        switch try places.change(try context.parameter("id"), to: context.request.body, since: tags) {
        case .conflict(let session):
            var response = APIResponse.error(
                MatrixError(
                    status: 412, errcode: "M_UNKNOWN", message: "ETag does not match",
                    extra: ["org.matrix.msc4108.errcode": "M_CONCURRENT_WRITE"]))
            response.headers = headers(of: session)
            return response
        case .done(let session): return .bytes([], contentType: "text/plain", status: 202, headers: headers(of: session))
        case .unknown: throw MatrixError.notFound()
        }
    }

    private static func end(_ context: APIContext) throws -> APIResponse {
        try places(context).end(try context.parameter("id"))
        return APIResponse(status: 204, body: [])
    }

    private static func places(_ context: APIContext) throws(MatrixError) -> RendezvousService.Places {
        guard context.homeserver.configuration.login.rendezvous.isEnabled else { throw .unrecognized }
        return context.homeserver.rendezvous.byHeaders
    }

    private static func checkContentType(_ request: APIRequest) throws(MatrixError) {
        guard let type = request.headers["Content-Type"] else { throw .missingParam("Missing required header: content-type") }
        let essence = type.prefix { $0 != ";" && $0 != " " }
        guard equalIgnoringCase(String(essence), "text/plain") else { throw .invalidParam("Content-Type must be text/plain") }
    }

    /// The tags of `If-Match` or `If-None-Match`, without their quotes. RFC 9110 §13.1.
    private static func tags(_ field: String?) -> [String]? {
        field?.split(separator: ",").map { tag in
            var tag = tag.drop { $0 == " " }
            while tag.last == " " { tag = tag.dropLast() }
            if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
            return tag.count >= 2 && tag.first == "\"" && tag.last == "\"" ? String(tag.dropFirst().dropLast()) : String(tag)
        }
    }

    private static func headers(of session: RendezvousSession) -> [(name: String, value: String)] {
        [
            ("ETag", "\"\(session.tag)\""), ("Expires", HTTPClock.format(Int(session.expiry.milliseconds / 1000))),
            ("Last-Modified", HTTPClock.format(Int(session.lastModified.milliseconds / 1000))),
            ("Cache-Control", "no-store, no-transform"), ("Pragma", "no-cache"),
        ]
    }

    // MARK: MSC4388

    private static func jsonAvailable(_ context: APIContext) throws -> APIResponse {
        try checkMayBegin(context)
        return .object { $0.member("create_available", true) }
    }

    private static func jsonBegin(_ context: APIContext) throws -> APIResponse {
        try checkMayBegin(context)
        try context.homeserver.rateLimits.check(.rendezvous, of: ByteString(context.request.remoteAddress))
        let data = try context.body().requiredString("data")
        let (id, session) = try context.homeserver.rendezvous.byJSON.begin(Array(data.utf8))
        return .object { body in
            body.member("id", id)
            writeState(of: session, to: &body)
        }
    }

    private static func jsonRead(_ context: APIContext) throws -> APIResponse {
        let places = try jsonPlaces(context)
        try checkIsNotShown(context.request)
        let session = try places.session(try context.parameter("id"))
        return .object { body in
            body.member("data", String(decoding: session.data, as: UTF8.self))
            writeState(of: session, to: &body)
        }
    }

    private static func jsonWrite(_ context: APIContext) throws -> APIResponse {
        let places = try jsonPlaces(context), body = try context.body()
        let tag = try body.requiredString("sequence_token"), data = try body.requiredString("data")
        switch try places.change(try context.parameter("id"), to: Array(data.utf8), since: tag == "*" ? [] : [tag]) {
        case .conflict:
            throw MatrixError(
                status: 409, errcode: "IO_ELEMENT_MSC4388_CONCURRENT_WRITE", message: "sequence_token does not match")
        case .done(let session): return .object { $0.member("sequence_token", session.tag) }
        case .unknown: throw MatrixError.notFound()
        }
    }

    private static func jsonEnd(_ context: APIContext) throws -> APIResponse {
        try jsonPlaces(context).end(try context.parameter("id"))
        return .empty
    }

    private static func writeState(of session: RendezvousSession, to body: inout JSONWriter) {
        body.member("sequence_token", session.tag)
        body.member("expires_in_ms", max(0, session.expiry.milliseconds - Timestamp.now.milliseconds))
    }

    private static func jsonPlaces(_ context: APIContext) throws(MatrixError) -> RendezvousService.Places {
        guard context.homeserver.configuration.login.rendezvous.mode != .off else { throw .unrecognized }
        return context.homeserver.rendezvous.byJSON
    }

    private static func checkMayBegin(_ context: APIContext) throws(MatrixError) {
        _ = try jsonPlaces(context)
        if context.homeserver.configuration.login.rendezvous.mode == .authenticated { _ = try context.requester }
    }

    /// What is left here is for programs. A browser that would show it to its user has been led here by somebody who has left a page.
    private static func checkIsNotShown(_ request: APIRequest) throws(MatrixError) {
        let dangers: [(field: String, isDanger: (String) -> Bool)] = [
            ("Sec-Fetch-Dest", { $0 != "empty" }), ("Sec-Fetch-Mode", { $0 == "navigate" }), ("Sec-Fetch-User", { $0 == "?1" }),
            ("Sec-Fetch-Site", { $0 == "none" }),
        ]
        for (field, isDanger) in dangers {
            if let value = request.headers[field], isDanger(value) {
                throw .forbidden("Rendezvous content is not accessible to a request with \(field): \(value.prefix(32))")
            }
        }
    }
}
