// Whom a login means. Client-Server API §Identifier types, §Matrix User ID.

import MatrixCore

/// The `identifier` of a login or of an `m.login.password` stage.
package enum LoginIdentifier: Sendable, Equatable {
    /// `m.id.user`: a localpart or a whole user id.
    case user(String)
    /// `m.id.thirdparty`, and `m.id.phone` as the number it stands for.
    case thirdParty(medium: String, address: String)

    /// Reads `identifier`, or the older members `user`, `medium` and `address` in its place.
    package init(submission: JSON) throws(MatrixError) {
        guard let identifier = submission["identifier"] else {
            self = try Self.legacy(submission)
            return
        }
        guard identifier.kind == .object, let type = identifier["type"]?.string else {
            throw .invalidParam("Invalid login identifier")
        }
        switch type {
        case "m.id.user":
            guard let user = identifier["user"]?.string, !user.isEmpty else {
                throw .missingParam("User identifier is missing 'user' key")
            }
            self = .user(user)
        case "m.id.thirdparty":
            guard let medium = identifier["medium"]?.string, let address = identifier["address"]?.string else {
                throw .missingParam("Invalid thirdparty identifier")
            }
            self = .thirdParty(medium: medium, address: address)
        case "m.id.phone":
            guard let country = identifier["country"]?.string, let number = (identifier["phone"] ?? identifier["number"])?.string else {
                throw .missingParam("Invalid phone-type identifier")
            }
            self = .thirdParty(medium: PhoneNumber.medium, address: try PhoneNumber(number, country: country).digits)
        default:
            throw .unknown("Unknown login identifier type", status: 400)
        }
    }

    private static func legacy(_ submission: JSON) throws(MatrixError) -> LoginIdentifier {
        if let user = submission["user"]?.string, !user.isEmpty { return .user(user) }
        if let medium = submission["medium"]?.string, let address = submission["address"]?.string {
            return .thirdParty(medium: medium, address: address)
        }
        throw .missingParam("Missing param: identifier")
    }
}
