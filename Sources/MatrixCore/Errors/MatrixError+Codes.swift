// The error codes, each with its usual status. Client-Server API §Common error codes, §Other error codes; the statuses where the
// specification leaves them open are Synapse's.

extension MatrixError {
    // MARK: Who asks

    package static let missingToken = MatrixError(status: 401, errcode: "M_MISSING_TOKEN", message: "Missing access token")

    /// - Parameter softLogout: the device is kept: the client may log in again and keep its keys.
    package static func unknownToken(softLogout: Bool = false) -> MatrixError {
        MatrixError(
            status: 401, errcode: "M_UNKNOWN_TOKEN", message: softLogout ? "Access token has expired" : "Unrecognised access token",
            extra: ["soft_logout": .bool(softLogout)])
    }

    package static func unauthorized(_ message: String) -> MatrixError {
        MatrixError(status: 401, errcode: "M_UNAUTHORIZED", message: message)
    }

    package static func forbidden(_ message: String) -> MatrixError {
        MatrixError(status: 403, errcode: "M_FORBIDDEN", message: message)
    }

    package static let userDeactivated = MatrixError(
        status: 403, errcode: "M_USER_DEACTIVATED", message: "This account has been deactivated")

    package static let userLocked = MatrixError(
        status: 401, errcode: "M_USER_LOCKED", message: "This account has been locked", extra: ["soft_logout": true])

    package static let userSuspended = MatrixError(
        status: 403, errcode: "M_USER_SUSPENDED", message: "This account has been suspended")

    /// Synapse's, for accounts that end at a time: `account_validity`.
    package static let accountExpired = MatrixError(
        status: 403, errcode: "ORG_MATRIX_EXPIRED_ACCOUNT", message: "User account has expired")

    package static let guestForbidden = MatrixError(
        status: 403, errcode: "M_GUEST_ACCESS_FORBIDDEN", message: "Guest access not allowed")

    // MARK: What is asked

    /// A path that does not exist.
    package static let unrecognized = MatrixError(status: 404, errcode: "M_UNRECOGNIZED", message: "Unrecognized request")

    /// A path that exists, but not for this method.
    package static let unrecognizedMethod = MatrixError(status: 405, errcode: "M_UNRECOGNIZED", message: "Unrecognized request method")

    package static func notFound(_ message: String = "Not found") -> MatrixError {
        MatrixError(status: 404, errcode: "M_NOT_FOUND", message: message)
    }

    package static let notJSON = MatrixError(status: 400, errcode: "M_NOT_JSON", message: "Content not JSON.")

    package static func badJSON(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_BAD_JSON", message: message)
    }

    package static func missingParam(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_MISSING_PARAM", message: message)
    }

    package static func invalidParam(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_INVALID_PARAM", message: message)
    }

    package static func tooLarge(_ message: String = "Request too large") -> MatrixError {
        MatrixError(status: 413, errcode: "M_TOO_LARGE", message: message)
    }

    /// - Parameter retryAfterMs: milliseconds until the request may be repeated.
    package static func limitExceeded(retryAfterMs: Int64? = nil) -> MatrixError {
        MatrixError(
            status: 429, errcode: "M_LIMIT_EXCEEDED", message: "Too Many Requests",
            extra: retryAfterMs.map { ["retry_after_ms": .int($0)] } ?? [:])
    }

    package static func resourceLimitExceeded(_ message: String, adminContact: String?, limitType: String?) -> MatrixError {
        var extra: JSONObject = [:]
        extra["admin_contact"] = adminContact.map { .string($0) }
        extra["limit_type"] = limitType.map { .string($0) }
        return MatrixError(status: 403, errcode: "M_RESOURCE_LIMIT_EXCEEDED", message: message, extra: extra)
    }

    package static func unknown(_ message: String, status: Int = 400) -> MatrixError {
        MatrixError(status: status, errcode: "M_UNKNOWN", message: message)
    }

    /// An error of ours. Its cause goes to the log, not to the client.
    package static let internalError = MatrixError(status: 500, errcode: "M_UNKNOWN", message: "Internal server error")

    package static let unknownPosition = MatrixError(status: 400, errcode: "M_UNKNOWN_POS", message: "Unknown position")

    // MARK: Accounts

    package static let userInUse = MatrixError(status: 400, errcode: "M_USER_IN_USE", message: "User ID already taken.")

    package static let invalidUsername = invalidUsername("User ID can only contain characters a-z, 0-9, or '=_-./+'")

    package static func invalidUsername(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_INVALID_USERNAME", message: message)
    }

    /// The name belongs to an application service.
    package static let exclusive = exclusive("This name is reserved by an application service")

    package static func exclusive(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_EXCLUSIVE", message: message)
    }

    package static func weakPassword(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_WEAK_PASSWORD", message: message)
    }

    package static func passwordTooShort(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_PASSWORD_TOO_SHORT", message: message)
    }

    package static let threePIDInUse = MatrixError(
        status: 400, errcode: "M_THREEPID_IN_USE", message: "Third party identifier is already in use")

    package static let threePIDNotFound = MatrixError(
        status: 400, errcode: "M_THREEPID_NOT_FOUND", message: "Third party identifier not found")

    package static let threePIDAuthFailed = MatrixError(
        status: 401, errcode: "M_THREEPID_AUTH_FAILED", message: "Third party identifier could not be verified")

    package static func threePIDMediumNotSupported(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_THREEPID_MEDIUM_NOT_SUPPORTED", message: message)
    }

    package static let threePIDDenied = MatrixError(
        status: 403, errcode: "M_THREEPID_DENIED", message: "Third party identifier is not allowed")

    package static func serverNotTrusted(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_SERVER_NOT_TRUSTED", message: message)
    }

    package static func consentNotGiven(_ message: String, consentURI: String) -> MatrixError {
        MatrixError(status: 403, errcode: "M_CONSENT_NOT_GIVEN", message: message, extra: ["consent_uri": .string(consentURI)])
    }

    package static let captchaNeeded = MatrixError(status: 401, errcode: "M_CAPTCHA_NEEDED", message: "Captcha is required")

    package static let captchaInvalid = MatrixError(status: 401, errcode: "M_CAPTCHA_INVALID", message: "Invalid captcha")

    // MARK: Rooms

    package static let roomInUse = MatrixError(status: 400, errcode: "M_ROOM_IN_USE", message: "Room alias already taken")

    package static func invalidRoomState(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_INVALID_ROOM_STATE", message: message)
    }

    package static func badState(_ message: String) -> MatrixError {
        MatrixError(status: 403, errcode: "M_BAD_STATE", message: message)
    }

    package static let inviteBlocked = MatrixError(
        status: 403, errcode: "M_INVITE_BLOCKED", message: "You are not permitted to invite this user.")

    package static func badAlias(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_BAD_ALIAS", message: message)
    }

    package static let unsupportedRoomVersion = unsupportedRoomVersion("Homeserver does not support this room version")

    package static func unsupportedRoomVersion(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_UNSUPPORTED_ROOM_VERSION", message: message)
    }

    /// The room that a server wants to join has a version it did not name.
    package static func incompatibleRoomVersion(_ version: String) -> MatrixError {
        MatrixError(
            status: 400, errcode: "M_INCOMPATIBLE_ROOM_VERSION",
            message: "Your homeserver does not support the features required to interact with this room",
            extra: ["room_version": .string(version)])
    }

    package static func unableToAuthoriseJoin(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_UNABLE_TO_AUTHORISE_JOIN", message: message)
    }

    package static func unableToGrantJoin(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_UNABLE_TO_GRANT_JOIN", message: message)
    }

    package static let cannotLeaveServerNoticeRoom = MatrixError(
        status: 403, errcode: "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", message: "You cannot reject this invite")

    package static let duplicateAnnotation = MatrixError(
        status: 400, errcode: "M_DUPLICATE_ANNOTATION", message: "Can't send same reaction twice")

    // MARK: Keys and media

    package static func wrongRoomKeysVersion(current: String) -> MatrixError {
        MatrixError(
            status: 403, errcode: "M_WRONG_ROOM_KEYS_VERSION", message: "Wrong backup version",
            extra: ["current_version": .string(current)])
    }

    package static func invalidSignature(_ message: String) -> MatrixError {
        MatrixError(status: 400, errcode: "M_INVALID_SIGNATURE", message: message)
    }

    package static let notYetUploaded = MatrixError(
        status: 504, errcode: "M_NOT_YET_UPLOADED", message: "Media has not been uploaded yet")

    package static let cannotOverwriteMedia = MatrixError(
        status: 409, errcode: "M_CANNOT_OVERWRITE_MEDIA", message: "Media ID already has content")
}
