// What the operator decided, as values: the options of `homeserver.yaml` that are built, with Synapse's defaults.

import MatrixCore

/// The settings of one homeserver. Reading them is `ConfigurationReader`'s business.
package struct ServerConfiguration: Sendable {
    // MARK: The server

    package var serverName: ServerName
    /// `public_baseurl`: where clients reach the server, with a trailing slash.
    package var publicBaseURL: String
    package var webClientLocation: String?
    package var pidFile: String?
    package var listeners: [Listener] = []
    /// `tls_certificate_path` and `tls_private_key_path`; needed where a listener has `tls: true`.
    package var tlsCertificatePath: String?
    package var tlsPrivateKeyPath: String?
    package var defaultRoomVersion: RoomVersion = .v12
    package var presence = PresenceConfiguration()
    /// `max_event_delay_duration`: how long an event may be delayed (MSC4140); zero for not at all.
    package var maxEventDelay = Duration.zero
    package var requireAuthForProfileRequests = false
    package var limitProfileRequestsToUsersWhoShareRooms = false
    package var allowPublicRoomsWithoutAuth = false
    package var allowPublicRoomsOverFederation = false
    /// The most events that `limit` in a filter can ask for.
    package var filterTimelineLimit = 100
    package var reportStats = false
    /// `soft_file_limit`: how many open files the process asks for; 0 leaves the limit to what the system allows at most.
    package var softFileLimit = 0

    // MARK: Storage

    package var database: DatabaseConfiguration = .sqlite(path: "homeserver.db")
    package var media = MediaConfiguration()

    // MARK: Secrets and keys

    package var signingKeyPath: String
    /// Keys that once signed for this server: published, never used again. Server-Server API §Publishing Keys.
    package var oldSigningKeys: [OldSigningKey] = []
    /// How long others may rely on our published keys.
    package var keyRefreshInterval: Duration = .seconds(86_400)
    package var macaroonSecretKey: String?
    package var formSecret: String?
    package var registrationSharedSecret: String?

    // MARK: Accounts

    package var enableRegistration = false
    package var enableRegistrationWithoutVerification = false
    package var enableSetDisplayName = true
    package var enableSetAvatarURL = true
    package var inhibitUserInUseError = false
    package var allowGuestAccess = false
    package var bcryptRounds = 12
    /// `password_config.pepper`: appended to a password before it is hashed.
    package var passwordPepper = ""
    /// `password_config.enabled`: whether a password logs in, and whether it proves who somebody is that is logged in.
    package var passwordLoginEnabled = true
    package var passwordReauthenticationEnabled = true
    /// `password_config.policy`.
    package var passwordPolicy = PasswordPolicy()
    /// How long an access token without refresh is valid; nil: until logout.
    package var sessionLifetime: Duration?
    package var refreshableAccessTokenLifetime: Duration = .seconds(300)
    package var refreshTokenLifetime: Duration?
    package var nonrefreshableAccessTokenLifetime: Duration?
    package var login = LoginConfiguration()
    /// `app_service_config_files`.
    package var applicationServices: [ApplicationServiceConfiguration] = []
    package var autoJoin = AutoJoinOptions()
    package var registration = RegistrationOptions()
    package var captcha = CaptchaOptions()
    /// `user_consent`; nil: there are no terms.
    package var consent: ConsentOptions?
    /// `email`; nil: this server sends no mail.
    package var email: EmailConfiguration?
    /// `templates.custom_template_directory`: templates of pages and mails that go before the built-in ones.
    package var customTemplateDirectory: String?
    /// `ui_auth.session_timeout`: for how long somebody who has proven who they are need not do so again.
    package var interactiveAuthTimeout = Duration.zero
    package var accountValidity = AccountValidityOptions()
    package var usage = UsageOptions()
    /// `server_notices`; nil: the server tells its users nothing.
    package var serverNotices: ServerNoticeOptions?
    /// `user_ips_max_age`: how long it is kept from which addresses a device was used; nil: for ever.
    package var userIPsMaxAge: Duration? = .seconds(28 * 86_400)
    /// `delete_stale_devices_after`: devices that nobody uses for so long go; nil: none does.
    package var staleDeviceAge: Duration?

    // MARK: Rooms

    package var encryptionEnabledByDefault: EncryptionDefault = .off
    package var forgetRoomsOnLeave = false
    /// `exclude_rooms_from_sync`: rooms that no sync shows.
    package var roomsExcludedFromSync: Set<RoomID> = []
    package var requireMembershipForAliases = true
    /// `dummy_events_threshold`: of more newest events than this, those of a room are tied together.
    package var dummyEventsThreshold = 10
    package var blockNonAdminInvites = false
    package var aliasCreationRules = [DirectoryRule(isAllowing: true)]
    /// Nobody publishes rooms where nothing is said.
    package var roomListPublicationRules: [DirectoryRule] = []
    package var enableRoomListSearch = true
    package var userDirectory = UserDirectoryOptions()
    package var turn = TurnOptions()
    package var wellKnown = WellKnownOptions()

    // MARK: Features

    package var retention = RetentionConfiguration()
    package var enableSearch = true
    /// `matrix_rtc.transports`: what calls of many may go over (MSC4143).
    package var rtcTransports: [JSONValue] = []
    /// `experimental_features.msc3720_enabled`: users may ask whether accounts exist.
    package var tellsAccountStatus = false
    /// `experimental_features.msc4306_enabled`: users may follow threads, and push rules go by it.
    package var hasThreadSubscriptions = false

    package var rateLimits = RateLimits()
    package var budgets = Budgets()
    package var outbound = OutboundConfiguration()
    package var federation = FederationConfiguration()

    // MARK: Operation

    /// The path of Synapse's Python logging configuration, if one is given.
    package var logConfigPath: String?
    package var enableMetrics = false

    /// - Parameter signingKeyPath: by default `SERVERNAME.signing.key`.
    package init(serverName: ServerName, signingKeyPath: String? = nil) {
        self.serverName = serverName
        self.publicBaseURL = "https://\(serverName)/"
        self.signingKeyPath = signingKeyPath ?? "\(serverName).signing.key"
    }
}

/// `encryption_enabled_by_default_for_room_type`: for which rooms a client's createRoom turns encryption on.
package enum EncryptionDefault: String, Sendable, CaseIterable {
    case all, invite, off
}

/// One of `old_signing_keys`.
package struct OldSigningKey: Sendable, Equatable {
    /// E.g. `ed25519:a_AbCd`.
    package var keyID: String
    /// Unpadded base64 of the public key.
    package var key: String
    package var expired: Timestamp

    package init(keyID: String, key: String, expired: Timestamp) {
        self.keyID = keyID
        self.key = key
        self.expired = expired
    }
}
