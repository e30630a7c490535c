// The options about registration, mail, terms and limits of use.

import MatrixCore
import ServerConfiguration
import Testing

@Suite struct AccountOptionsTests {
    private static let email = "email: {notif_from: 'Our %(app)s server <noreply@example.com>'}"

    @Test("what is not said has Synapse's default")
    func defaults() throws {
        let configuration = try settings("")
        #expect(configuration.email == nil && configuration.consent == nil && configuration.customTemplateDirectory == nil)
        #expect(!configuration.registration.requiresToken && configuration.registration.allowsThirdPartyChanges)
        #expect(configuration.registration.nextLinkHosts == nil && !configuration.registration.hidesThirdPartyIDs)
        #expect(configuration.userIPsMaxAge == .seconds(28 * 86_400) && configuration.staleDeviceAge == nil)
        #expect(configuration.interactiveAuthTimeout == .zero && !configuration.usage.tracksMonthlyUsers)
        #expect(configuration.captcha.verificationURL == "https://www.recaptcha.net/recaptcha/api/siteverify")
        #expect(configuration.autoJoin.makesFederatedRooms && configuration.autoJoin.preset == .publicChat)
        #expect(configuration.passwordLoginEnabled && configuration.passwordReauthenticationEnabled)
    }

    @Test("registration, tokens, captcha and places are as the file says")
    func registration() throws {
        let configuration = try settings(
            """
            \(Self.email)
            enable_registration: true
            registration_requires_token: true
            enable_registration_token_3pid_bypass: true
            registrations_require_3pid: [email, msisdn]
            disable_msisdn_registration: true
            account_threepid_delegates: {msisdn: "http://127.0.0.1:8090//"}
            allowed_local_3pids:
              - {medium: email, pattern: '^[^@]+@example\\.com$'}
            enable_3pid_changes: false
            request_token_inhibit_3pid_errors: true
            next_link_domain_whitelist: [Client.example.com]
            enable_registration_captcha: true
            recaptcha_public_key: public
            recaptcha_private_key: private
            ui_auth: {session_timeout: 15s}
            password_config: {enabled: only_for_reauth}
            limit_usage_by_mau: true
            max_mau_value: 50
            mau_trial_days: 2
            mau_appservice_trial_days: {irc: 30, sms: 0}
            mau_limit_reserved_threepids: [{medium: email, address: boss@example.com}]
            admin_contact: 'mailto:admin@example.com'
            user_ips_max_age: 14d
            delete_stale_devices_after: 1y
            account_validity: {enabled: true, period: 6w}
            auto_join_rooms: ['#den:example.com']
            autocreate_auto_join_room_preset: private_chat
            autocreate_auto_join_rooms_federated: false
            auto_join_mxid_localpart: host
            """)
        let registration = configuration.registration
        #expect(registration.requiresToken && registration.takesTokenForThirdPartyID && registration.requiredMedia == [.email, .msisdn])
        #expect(registration.phoneDelegate == "http://127.0.0.1:8090" && registration.excludesPhoneNumbers)
        #expect(registration.allows("a@example.com", of: "email") && !registration.allows("a@example.org", of: "email"))
        #expect(!registration.allowsThirdPartyChanges && registration.hidesThirdPartyIDs)
        #expect(registration.nextLinkHosts == ["client.example.com"])
        #expect(configuration.captcha.isRequired && configuration.captcha.privateKey == "private")
        #expect(configuration.interactiveAuthTimeout == .seconds(15))
        #expect(!configuration.passwordLoginEnabled && configuration.passwordReauthenticationEnabled)
        #expect(configuration.usage.limitsMonthlyUsers && configuration.usage.monthlyUserLimit == 50 && configuration.usage.trialDays == 2)
        #expect(configuration.usage.trialDaysOfServices == ["irc": 30, "sms": 0])
        #expect(configuration.usage.reservedThirdPartyIDs.first?.address == "boss@example.com")
        #expect(configuration.userIPsMaxAge == .seconds(14 * 86_400) && configuration.staleDeviceAge == .seconds(365 * 86_400))
        #expect(configuration.accountValidity.isEnabled && configuration.accountValidity.period == .seconds(42 * 86_400))
        #expect(configuration.autoJoin.preset == .privateChat && configuration.autoJoin.inviter == "host")
        #expect(!configuration.autoJoin.makesFederatedRooms)
    }

    @Test(
        "mail goes by the port and the security that Synapse would use",
        arguments: [
            ("", EmailConfiguration.Security.opportunistic, 25), ("force_tls: true", .implicit, 465),
            ("require_transport_security: true, smtp_port: 587", .startTLS, 587), ("enable_tls: false, smtp_port: '2525'", .plain, 2525),
        ])
    func security(more: String, security: EmailConfiguration.Security, port: Int) throws {
        let text = "email: {notif_from: a@example.com, smtp_host: mail\(more.isEmpty ? "" : ", " + more)}"
        let email = try #require(try settings(text).email)
        #expect(email.security == security && email.effectivePort == port && email.host == "mail")
    }

    @Test("what mails say and who sends them")
    func mails() throws {
        let result = try read(
            """
            email:
              notif_from: "Our %(app)s server <noreply@example.com>"
              smtp_user: u
              smtp_pass: 12345
              app_name: Den
              validation_token_lifetime: 15m
              subjects: {password_reset: "Reset", message_from_person: "[%(app)s] hello"}
              registration_template_html: mine.html
              enable_notifs: true
              notif_for_new_users: false
            """)
        let email = try #require(result.configuration?.email)
        #expect(email.senderAddress == "noreply@example.com" && email.user == "u" && email.password == "12345")
        #expect(email.tokenLifetime == .seconds(900) && email.appName == "Den" && email.subjects.passwordReset == "Reset")
        #expect(email.templateNames == ["registration_template_html": "mine.html"])
        #expect(result.notBuilt == ["email.subjects.message_from_person", "email.enable_notifs"])
        #expect(try settings("email: {}").email == nil)
    }

    @Test("notices of the server are as the file says, with Synapse's name for their room")
    func notices() throws {
        let short = try #require(try settings("server_notices: {system_mxid_localpart: notices}").serverNotices)
        #expect(short.senderLocalpart == "notices" && short.roomName == "Server Notices" && !short.joinsUsers)
        #expect(try settings("").serverNotices == nil && settings("").noticeSender == nil)
        let result = try read(
            """
            server_notices:
              system_mxid_localpart: server
              system_mxid_display_name: The club
              system_mxid_avatar_url: mxc://example.com/sender
              room_name: News
              room_avatar_url: mxc://example.com/room
              room_topic: What you should know
              auto_join: true
            form_secret: s
            user_consent:
              version: 1.0
              template_dir: /tmp
              server_notice_content: {body: "Read %(consent_uri)s"}
              send_server_notice_to_guests: true
            mau_limit_alerting: false
            """)
        let configuration = try #require(result.configuration, "\(result.problems)")
        #expect(result.problems.isEmpty && result.notBuilt.isEmpty && configuration.noticeSender?.string == "@server:example.com")
        var expected = ServerNoticeOptions(senderLocalpart: "server")
        (expected.senderName, expected.senderAvatarURL) = ("The club", "mxc://example.com/sender")
        (expected.roomName, expected.roomAvatarURL, expected.roomTopic) = ("News", "mxc://example.com/room", "What you should know")
        expected.joinsUsers = true
        #expect(configuration.serverNotices == expected && !configuration.usage.tellsOfLimit)
        #expect(configuration.consent?.notice == ["body": "Read %(consent_uri)s", "msgtype": "m.text"])
        #expect(configuration.consent?.tellsGuests == true)
    }

    @Test(
        "what cannot be meant is an error",
        arguments: [
            "registrations_require_3pid: [email]", "registrations_require_3pid: [fax]", "registrations_require_3pid: [msisdn]",
            "account_threepid_delegates: {email: 'https://example.org'}", "account_threepid_delegates: {msisdn: example.org}",
            "account_threepid_delegates: [msisdn]", "server_notices: notices", "server_notices: {room_name: News}",
            "server_notices: {system_mxid_localpart: 'a:b'}", "server_notices: {system_mxid_localpart: a, auto_join: 5}",
            "{form_secret: s, user_consent: {version: 1, template_dir: /tmp, server_notice_content: {body: Read}}}",
            "{server_notices: {system_mxid_localpart: a}, user_consent: {version: 1, template_dir: /tmp, server_notice_content: {body: Read}}}",
            "{form_secret: s, server_notices: {system_mxid_localpart: a}, "
                + "user_consent: {version: 1, template_dir: /tmp, server_notice_content: {msgtype: 5, body: Read}}}",
            "allowed_local_3pids: [{medium: email}]", "allowed_local_3pids: [{medium: email, pattern: '['}]",
            "email: {smtp_host: mail}", "email: {notif_from: nobody}", "email: {notif_from: a@b, enable_tls: false, force_tls: true}",
            "email: {notif_from: a@b, smtp_port: 70000}", "email: {notif_from: a@b, force_tls: 1}", "enable_registration_captcha: true",
            "user_consent: {version: 1}", "user_consent: {version: '../x', template_dir: /}", "account_validity: {enabled: true}",
            "limit_usage_by_mau: true", "enable_registration: true", "user_ips_max_age: 0", "mau_limit_reserved_threepids: [5]",
            "mau_appservice_trial_days: 5", "mau_appservice_trial_days: {irc: long}", "mau_appservice_trial_days: {irc: -1}",
            "{auto_join_rooms: ['#a:example.com'], autocreate_auto_join_room_preset: private_chat}",
            "autocreate_auto_join_room_preset: secret_chat",
        ])
    func errors(text: String) throws {
        let result = try read(text)
        #expect(result.configuration == nil && result.errors.count == 1, "\(result.problems)")
    }

    @Test(
        "registration is open with any of the proofs that it can ask for",
        arguments: [
            "enable_registration_without_verification: true", "registration_requires_token: true",
            "{enable_registration_captcha: true, recaptcha_public_key: a, recaptcha_private_key: b}",
        ])
    func verified(text: String) throws {
        #expect(try read("enable_registration: true", text).problems.isEmpty)
    }
}
