// The errors of the API. Client-Server API §Standard error response.

/// An error as a client or another server gets it: HTTP status and a JSON object with `errcode` and `error`.
package struct MatrixError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The HTTP status.
    package let status: Int
    /// `M_…`
    package let errcode: String
    /// For people. It names no secret and nothing of how the server is built.
    package let message: String
    /// What some errors carry besides, for example `retry_after_ms`.
    package let extra: JSONObject

    package init(status: Int, errcode: String, message: String, extra: JSONObject = [:]) {
        self.status = status
        self.errcode = errcode
        self.message = message
        self.extra = extra
    }

    /// The body of the response.
    package var body: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("errcode", errcode)
            writer.member("error", message)
            for (key, value) in extra { writer.member(key, value) }
        }
        return writer.bytes
    }

    package var description: String { "\(status) \(errcode): \(message)" }
}

// MARK: - From the errors of this module

extension MatrixError {
    /// What is not JSON is `M_NOT_JSON`; JSON that canonical JSON or our limits do not allow is `M_BAD_JSON`.
    package init(_ error: JSONError) {
        self = error.isValidJSON ? .badJSON("Bad JSON: \(error)") : .notJSON
    }

    /// An identifier in a path or a parameter: `M_INVALID_PARAM`.
    package init(_ error: IdentifierError) {
        self = .invalidParam("\(error)".prefix(1).uppercased() + "\(error)".dropFirst())
    }

    package init(_ error: EventError) {
        switch error {
        case .tooLarge(let what): self = .tooLarge("Event too large: \(what)")
        case .json(let error): self = MatrixError(error)
        case .format(let reason): self = .badJSON("Invalid event: \(reason)")
        case .missingReferenceHash: self = .internalError
        }
    }
}
