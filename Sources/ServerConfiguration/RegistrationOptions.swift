// Who may make an account and by which proof, which third-party identifiers accounts may have, the captcha, and the first rooms.

import MatrixCore

/// The options of Synapse's section "Registration" that go beyond on and off.
package struct RegistrationOptions: Sendable {
    /// `registration_requires_token`.
    package var requiresToken = false
    /// `enable_registration_token_3pid_bypass`: a token does in place of what `registrations_require_3pid` asks for.
    package var takesTokenForThirdPartyID = false
    /// `registrations_require_3pid`.
    package var requiredMedia: Set<Medium> = []
    /// `disable_msisdn_registration`.
    package var excludesPhoneNumbers = false
    /// `account_threepid_delegates.msisdn`: the address of the identity server that validates telephone numbers, without a slash at its end;
    /// nil: none are validated.
    package var phoneDelegate: String?
    /// `allowed_local_3pids`; empty: all are allowed.
    package var allowedThirdPartyIDs: [ThirdPartyRule] = []
    /// `enable_3pid_changes`.
    package var allowsThirdPartyChanges = true
    /// `allow_underscore_prefixed_registration`.
    package var allowsUnderscore = false
    /// `request_token_inhibit_3pid_errors`: do not tell whether an address belongs to an account.
    package var hidesThirdPartyIDs = false
    /// `next_link_domain_whitelist`: where links of validation mails may lead afterwards; nil: anywhere.
    package var nextLinkHosts: [String]?

    /// The kinds of third-party identifiers. Appendices §3PID Types.
    package enum Medium: String, Sendable, CaseIterable {
        case email, msisdn
    }

    package init() {}

    /// Whether accounts may have this address: `allowed_local_3pids`.
    package func allows(_ address: String, of medium: String) -> Bool {
        allowedThirdPartyIDs.isEmpty || allowedThirdPartyIDs.contains { $0.allows(address, of: medium) }
    }
}

/// One of `allowed_local_3pids`: a regular expression that the beginning of an address matches.
package struct ThirdPartyRule: Sendable, Equatable {
    package var medium: String
    package var pattern: String

    package init(medium: String, pattern: String) {
        self.medium = medium
        self.pattern = pattern
    }

    /// Whether the rule allows an address. A pattern that is none matches nothing.
    package func allows(_ address: String, of medium: String) -> Bool {
        guard medium == self.medium, let expression = Self.expression(pattern) else { return false }
        return address.prefixMatch(of: expression) != nil
    }

    static func expression(_ pattern: String) -> Regex<AnyRegexOutput>? {
        do { return try Regex(pattern) } catch { return nil }
    }
}

/// `enable_registration_captcha` and `recaptcha_*`.
package struct CaptchaOptions: Sendable {
    package var isRequired = false
    package var publicKey: String?
    package var privateKey: String?
    /// `recaptcha_siteverify_api`.
    package var verificationURL = "https://www.recaptcha.net/recaptcha/api/siteverify"

    package init() {}
}

/// `user_consent`: the terms that users have to agree to.
package struct ConsentOptions: Sendable, Equatable {
    /// Of the terms that are in force.
    package var version: String
    /// A folder with a folder for each language, e.g. `en`, in which each version of the terms is a template `VERSION.html`.
    package var templateDirectory: String
    /// `block_events_error`: what is said to those who have not agreed and would send something; nil: they may.
    package var blockingError: String?
    /// `require_at_registration`.
    package var isAskedAtRegistration = false
    package var policyName = "Privacy Policy"
    /// `server_notice_content`: what those are sent who have not agreed, with `%(consent_uri)s` in its texts; nil: nothing.
    package var notice: JSONObject?
    /// `send_server_notice_to_guests`.
    package var tellsGuests = false

    package init(version: String, templateDirectory: String) {
        self.version = version
        self.templateDirectory = templateDirectory
    }
}

/// `auto_join_rooms` and what belongs to it: rooms that every new account is put into.
package struct AutoJoinOptions: Sendable {
    package enum Preset: String, Sendable {
        case publicChat = "public_chat"
        case privateChat = "private_chat"
        case trustedPrivateChat = "trusted_private_chat"
    }

    package var rooms: [RoomAlias] = []
    /// `autocreate_auto_join_rooms`: the first account of the server makes those that are missing.
    package var makesRooms = true
    /// `autocreate_auto_join_rooms_federated`: people of other servers can join them.
    package var makesFederatedRooms = true
    /// `autocreate_auto_join_room_preset`.
    package var preset = Preset.publicChat
    /// `auto_join_mxid_localpart`: who makes the rooms, and invites to those that cannot be joined without.
    package var inviter: String?
    /// `auto_join_rooms_for_guests`.
    package var includesGuests = true

    package init() {}
}
