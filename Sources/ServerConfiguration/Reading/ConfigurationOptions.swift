// The table of options: for each name of Synapse's configuration manual, what its value becomes. A new option is a line here.

import MatrixCore

package enum ConfigurationOptions {
    /// Every option by name.
    package static let all: [String: ConfigurationOption] = {
        var all: [String: ConfigurationOption] = [:]
        for (_, names) in KnownOptions.notBuilt {
            for name in names { all[name] = .notBuilt(name) }
        }
        for option in built { all[option.name] = option }
        return all
    }()

    static let built: [ConfigurationOption] =
        server + PresenceOptions.all + tls + storage + rateLimits + accounts + registration + usage + sessions + LoginOptions.all + keys
        + rooms
        + directories + calls + discovery + [EmailOptions.option, ApplicationServiceReader.option, ServerNoticeReader.option]
        + OutboundOptions.all + FederationOptions.all + FeatureOptions.all
        + RetentionOptions.all + MediaOptions.all + operation

    private static let server: [ConfigurationOption] = [
        .custom("server_name") { _, _, _ in },  // read first: much depends on it
        .custom("public_baseurl") { node, option, reading in
            guard let text = node.textValue, text.hasPrefix("http://") || text.hasPrefix("https://") else {
                return reading.fail(node, option, expected: "an address that begins with https:// or http://")
            }
            reading.configuration.publicBaseURL = text.hasSuffix("/") ? text : text + "/"
            reading.configuration.wellKnown.isClientServed = true
        },
        .string("web_client_location", \.webClientLocation),
        .string("pid_file", \.pidFile),
        .custom("listeners", ListenerReader.read),
        .int("soft_file_limit", \.softFileLimit),
        .ignored("daemonize"), .ignored("print_pidfile"), .ignored("use_frozen_dicts"), .ignored("gc_thresholds"),
        .ignored("gc_min_interval"),
        .bool("require_auth_for_profile_requests", \.requireAuthForProfileRequests),
        .bool("limit_profile_requests_to_users_who_share_rooms", \.limitProfileRequestsToUsersWhoShareRooms),
        .duration("max_event_delay_duration", \.maxEventDelay),
        .bool("allow_public_rooms_without_auth", \.allowPublicRoomsWithoutAuth),
        .bool("allow_public_rooms_over_federation", \.allowPublicRoomsOverFederation),
        .int("filter_timeline_limit", \.filterTimelineLimit, in: -1...100_000),
        .int("dummy_events_threshold", \.dummyEventsThreshold, in: 1...1_000_000),
        .custom("default_room_version") { node, option, reading in
            guard let text = node.textValue, let version = RoomVersion.named(text) else {
                let known = RoomVersion.all.map(\.id).joined(separator: ", ")
                return reading.fail(
                    node, option,
                    because: "found \(node.textValue ?? node.kindInWords), expected a room version that this server has: \(known)")
            }
            reading.configuration.defaultRoomVersion = version
        },
    ]

    private static let tls: [ConfigurationOption] = [
        .string("tls_certificate_path", \.tlsCertificatePath),
        .string("tls_private_key_path", \.tlsPrivateKeyPath),
    ]

    private static let storage: [ConfigurationOption] = [
        .custom("database", DatabaseReader.read),
        .section(
            "caches",
            [
                .custom("global_factor") { node, option, reading in
                    guard let factor = node.number, factor > 0, factor <= 1000 else {
                        return reading.fail(node, option, expected: "a number above 0")
                    }
                    reading.configuration.budgets = reading.configuration.budgets.scaled(by: factor)
                },
                .duration("sync_response_cache_duration", \.budgets.syncResponseCacheDuration),
                .ignored("per_cache_factors"), .ignored("expire_caches"), .ignored("cache_entry_ttl"), .ignored("cache_autotuning"),
                .ignored("expiry_time"),
            ]),
    ]

    private static let rateLimits: [ConfigurationOption] = [
        .rateLimit("rc_message", \.rateLimits.message),
        .rateLimit("rc_registration", \.rateLimits.registration),
        .rateLimit("rc_registration_token_validity", \.rateLimits.registrationTokenValidity),
        .section(
            "rc_login",
            [
                .rateLimit("address", \.rateLimits.login.address),
                .rateLimit("account", \.rateLimits.login.account),
                .rateLimit("failed_attempts", \.rateLimits.login.failedAttempts),
            ]),
        .custom("rc_admin_redaction") { node, option, reading in
            reading.configuration.rateLimits.adminRedaction = RateLimitReader.read(node, option, default: RateLimit(0.17, 3), &reading)
        },
        .section(
            "rc_joins", [.rateLimit("local", \.rateLimits.joins.local), .rateLimit("remote", \.rateLimits.joins.remote)]),
        .rateLimit("rc_joins_per_room", \.rateLimits.joinsPerRoom),
        .rateLimit("rc_key_requests", \.rateLimits.keyRequests),
        .rateLimit("rc_3pid_validation", \.rateLimits.thirdPartyValidation),
        .section(
            "rc_invites",
            [
                .rateLimit("per_room", \.rateLimits.invites.perRoom),
                .rateLimit("per_user", \.rateLimits.invites.perUser),
                .rateLimit("per_issuer", \.rateLimits.invites.perIssuer),
            ]),
        .rateLimit("rc_third_party_invite", \.rateLimits.thirdPartyInvite),
        .rateLimit("rc_media_create", \.rateLimits.mediaCreate),
        .section("rc_presence", [.rateLimit("per_user", \.rateLimits.presencePerUser)]),
        .rateLimit("rc_delayed_event_mgmt", \.rateLimits.delayedEventManagement),
        .rateLimit("rc_reports", \.rateLimits.reports),
        .rateLimit("rc_room_creation", \.rateLimits.roomCreation),
        .rateLimit("rc_user_directory", \.rateLimits.userDirectory),
        .section(
            "rc_federation",
            [
                .int("window_size", \.rateLimits.federation.windowSize),
                .int("sleep_limit", \.rateLimits.federation.sleepLimit),
                .int("sleep_delay", \.rateLimits.federation.sleepDelay),
                .int("reject_limit", \.rateLimits.federation.rejectLimit),
                .int("concurrent", \.rateLimits.federation.concurrent),
            ]),
    ]

    private static let accounts: [ConfigurationOption] =
        [
            .bool("enable_registration", \.enableRegistration),
            .bool("enable_registration_without_verification", \.enableRegistrationWithoutVerification),
            .int("bcrypt_rounds", \.bcryptRounds, in: 4...31),
            .bool("allow_guest_access", \.allowGuestAccess),
            .bool("enable_set_displayname", \.enableSetDisplayName),
            .bool("enable_set_avatar_url", \.enableSetAvatarURL),
            .bool("inhibit_user_in_use_error", \.inhibitUserInUseError),
            .custom("auto_join_rooms") { node, option, reading in
                guard let list = node.list else { return reading.fail(node, option, expected: "a list of room aliases") }
                for (index, element) in list.enumerated() {
                    do {
                        reading.configuration.autoJoin.rooms.append(try RoomAlias(parsing: element.textValue ?? ""))
                    } catch {
                        reading.fail(
                            element, "\(option)[\(index)]",
                            because: "found \(element.textValue ?? element.kindInWords), expected #alias:server")
                    }
                }
            },
            .bool("autocreate_auto_join_rooms", \.autoJoin.makesRooms),
            .bool("autocreate_auto_join_rooms_federated", \.autoJoin.makesFederatedRooms),
            .custom("autocreate_auto_join_room_preset") { node, option, reading in
                guard let preset = node.textValue.flatMap({ AutoJoinOptions.Preset(rawValue: $0) }) else {
                    return reading.fail(node, option, expected: "public_chat, private_chat or trusted_private_chat")
                }
                reading.configuration.autoJoin.preset = preset
            },
            .string("auto_join_mxid_localpart", \.autoJoin.inviter),
            .bool("auto_join_rooms_for_guests", \.autoJoin.includesGuests),
            .section(
                "password_config",
                [
                    .custom("enabled") { node, option, reading in
                        switch node.value {
                        case .bool(let enabled):
                            reading.configuration.passwordLoginEnabled = enabled
                            reading.configuration.passwordReauthenticationEnabled = enabled
                        case .string("only_for_reauth"):
                            reading.configuration.passwordLoginEnabled = false
                            reading.configuration.passwordReauthenticationEnabled = true
                        default: reading.fail(node, option, expected: "true, false or only_for_reauth")
                        }
                    },
                    .string("pepper", \.passwordPepper),
                    .notBuilt("localdb_enabled"),
                    .section(
                        "policy",
                        [
                            .bool("enabled", \.passwordPolicy.isEnabled),
                            .int("minimum_length", \.passwordPolicy.minimumLength),
                            .bool("require_digit", \.passwordPolicy.requiresDigit),
                            .bool("require_symbol", \.passwordPolicy.requiresSymbol),
                            .bool("require_lowercase", \.passwordPolicy.requiresLowercase),
                            .bool("require_uppercase", \.passwordPolicy.requiresUppercase),
                        ]),
                ]),
        ] + ConfigurationOption.secret("registration_shared_secret", \.registrationSharedSecret)

    private static let sessions: [ConfigurationOption] = [
        .duration("session_lifetime", \.sessionLifetime),
        .duration("refreshable_access_token_lifetime", \.refreshableAccessTokenLifetime),
        .duration("refresh_token_lifetime", \.refreshTokenLifetime),
        .duration("nonrefreshable_access_token_lifetime", \.nonrefreshableAccessTokenLifetime),
    ]

    private static let keys: [ConfigurationOption] =
        [
            .string("signing_key_path", \.signingKeyPath),
            .custom("old_signing_keys", OldSigningKeyReader.read),
            .duration("key_refresh_interval", \.keyRefreshInterval),
            .ignored("suppress_key_server_warning"),
        ]
        + ConfigurationOption.secret("macaroon_secret_key", \.macaroonSecretKey)
        + ConfigurationOption.secret("form_secret", \.formSecret)

    private static let rooms: [ConfigurationOption] = [
        .custom("encryption_enabled_by_default_for_room_type") { node, option, reading in
            // Without quotes, `off` is a boolean in YAML.
            let text = if case .bool(false) = node.value { "off" } else { node.textValue ?? "" }
            guard let value = EncryptionDefault(rawValue: text) else {
                return reading.fail(node, option, expected: "all, invite or off")
            }
            reading.configuration.encryptionEnabledByDefault = value
        },
        .bool("forget_rooms_on_leave", \.forgetRoomsOnLeave),
        .bool("require_membership_for_aliases", \.requireMembershipForAliases),
        .bool("block_non_admin_invites", \.blockNonAdminInvites),
    ]

    private static let operation: [ConfigurationOption] = [
        .string("log_config", \.logConfigPath),
        .bool("enable_metrics", \.enableMetrics),
        .bool("report_stats", \.reportStats),
    ]
}

/// `old_signing_keys`: `{"ed25519:id": {key: base64, expired_ts: milliseconds}}`.
enum OldSigningKeyReader {
    static func read(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let entries = node.entries else { return reading.fail(node, option, expected: "a mapping from key ids to keys") }
        for entry in entries {
            guard let key = entry.node["key"]?.textValue, case .int(let expired)? = entry.node["expired_ts"]?.value else {
                reading.fail(entry.node, "\(option).\(entry.key)", expected: "a mapping with key and expired_ts")
                continue
            }
            reading.configuration.oldSigningKeys.append(
                OldSigningKey(keyID: entry.key, key: key, expired: Timestamp(milliseconds: Int64(expired))))
        }
    }
}
