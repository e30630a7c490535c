// The file of the user story, and what an operator is told about files that are wrong.

import Glibc
import MatrixCore
import ServerConfiguration
import Testing

@Suite struct ConfigurationReaderTests {
    /// What Synapse generates, changed as the article of the user story says.
    static let article = """
        server_name: "my.domain.name"
        pid_file: /var/lib/synapse/homeserver.pid
        public_baseurl: https://matrix.my.domain.name
        listeners:
          - port: 8008
            tls: false
            type: http
            x_forwarded: true
            bind_addresses: ['0.0.0.0']
            resources:
              - names: [client, federation, metrics]
                compress: false
        database:
          name: psycopg2
          args:
            user: synapse
            password: 12345
            database: synapse
            host: localhost
            cp_min: 5
            cp_max: 10
        log_config: "/etc/synapse/my.domain.name.log.config"
        media_store_path: /var/lib/synapse/media_store
        max_upload_size: 80M
        registration_shared_secret: "a secret"
        report_stats: true
        macaroon_secret_key: "another"
        form_secret: "third"
        signing_key_path: "/etc/synapse/my.domain.name.signing.key"
        enable_metrics: True
        url_preview_enabled: True
        url_preview_ip_range_blacklist:
          - '127.0.0.0/8'
          - '10.0.0.0/8'
        app_service_config_files:
          - /etc/synapse/whatsapp.yaml
        trusted_key_servers:
          - server_name: "matrix.org"
        """

    /// What a bridge gives its operator.
    static let bridge = """
        id: whatsapp
        url: http://localhost:29318
        as_token: its token
        hs_token: our token
        sender_localpart: whatsapp_sender
        rate_limited: false
        namespaces:
            users:
                - regex: ^@whatsappbot:my\\.domain\\.name$
                  exclusive: true
                - regex: ^@whatsapp_.*:my\\.domain\\.name$
                  exclusive: true
        de.sorunome.msc2409.push_ephemeral: true
        receive_ephemeral: true
        """

    @Test("the file of the user story is read without an error or a warning but for what is not built")
    func article() throws {
        let bridge = "/tmp/martlet-bridge-\(UInt64.random(in: 0...UInt64.max)).yaml"
        try NewFile.write(Self.bridge, to: bridge, mode: 0o600)
        defer { unlink(bridge) }
        let result = try read(Self.article.replacing("/etc/synapse/whatsapp.yaml", with: bridge), minimal: false)
        let configuration = try #require(result.configuration, "\(result.problems)")
        #expect(result.problems.isEmpty)
        #expect(configuration.serverName.string == "my.domain.name")
        #expect(configuration.publicBaseURL == "https://matrix.my.domain.name/")
        #expect(configuration.media.uploadByteLimit == 80 << 20)
        #expect(configuration.enableMetrics && configuration.reportStats)
        #expect(configuration.registrationSharedSecret == "a secret")
        #expect(
            configuration.database
                == .postgres(
                    keywords: ["user": "synapse", "password": "12345", "dbname": "synapse", "host": "localhost"], cpMin: 5, cpMax: 10))
        var listener = Listener(.tcp(addresses: ["0.0.0.0"], port: 8008))
        listener.forwarded = true
        listener.resources = [.client, .federation, .metrics]
        #expect(configuration.listeners == [listener])
        #expect(
            result.notBuiltWarning
                == "options without effect, as this server does not have them yet: url_preview_enabled, url_preview_ip_range_blacklist, "
                + "app_service_config_files.url")
        let service = try #require(configuration.applicationServices.first)
        #expect(service.id == "whatsapp" && service.token == "its token" && service.senderLocalpart == "whatsapp_sender")
        #expect(!service.isRateLimited && !service.managesDevices && service.aliases.isEmpty && service.addresses == nil)
        #expect(service.users.map(\.pattern) == ["^@whatsappbot:my\\.domain\\.name$", "^@whatsapp_.*:my\\.domain\\.name$"])
    }

    @Test(
        "an application service's file that cannot be is an error that names it",
        arguments: [
            ("id: whatsapp", "id: 5\nidentity: x"), ("as_token: its token", ""), ("as_token: its token", "as_token: ''"),
            ("sender_localpart: whatsapp_sender", ""), ("namespaces:", "names:"), ("exclusive: true", "exclusive: maybe"),
            ("regex: ^@whatsappbot", "regex: '('\n          pattern: ^@whatsappbot"), ("rate_limited: false", "rate_limited: seldom"),
            ("receive_ephemeral: true", "ip_range_whitelist: [everywhere]"),
        ])
    func services(wanted: String, instead: String) throws {
        let file = "/tmp/martlet-bridge-\(UInt64.random(in: 0...UInt64.max)).yaml"
        try NewFile.write(Self.bridge.replacing(wanted, with: instead), to: file, mode: 0o600)
        defer { unlink(file) }
        // Numbers are texts where a text is wanted.
        let isError = !instead.hasPrefix("id: 5")
        let result = try read("app_service_config_files: [\(file)]")
        #expect(!result.errors.isEmpty == isError, "\(result.problems)")
    }

    @Test("two application services have neither the same id nor the same token, and a file that is not there is an error")
    func sameServices() throws {
        let file = "/tmp/martlet-bridge-\(UInt64.random(in: 0...UInt64.max)).yaml"
        try NewFile.write(Self.bridge, to: file, mode: 0o600)
        defer { unlink(file) }
        #expect(try read("app_service_config_files: [\(file), \(file)]").errors.count == 2)
        #expect(try read("app_service_config_files: [/nowhere/x.yaml]").errors.count == 1)
    }

    @Test("what is not said has Synapse's default")
    func defaults() throws {
        let configuration = try settings("")
        #expect(configuration.publicBaseURL == "https://example.com/")
        #expect(configuration.signingKeyPath == "/etc/matrix/example.com.signing.key")
        #expect(configuration.bcryptRounds == 12)
        #expect(configuration.defaultRoomVersion == .v12)
        #expect(configuration.presence.mode == .enabled && !configuration.enableRegistration)
        #expect(configuration.rateLimits.message == RateLimit(0.2, 10))
        #expect(configuration.rateLimits.login.failedAttempts == RateLimit(0.17, 3))
        #expect(configuration.refreshableAccessTokenLifetime == .seconds(300))
    }

    @Test("a later file replaces an earlier one's options as a whole")
    func merging() throws {
        let result = try read("rc_login: {address: {per_second: 5}}\nbcrypt_rounds: 4", "rc_login: {account: {burst_count: 7}}")
        let limits = try #require(result.configuration).rateLimits.login
        #expect(limits.address == RateLimit(0.003, 5) && limits.account == RateLimit(0.003, 7))
        #expect(result.configuration?.bcryptRounds == 4)
    }

    @Test(
        "a wrong value stops the start with file, line, option, what was found and what was expected",
        arguments: [
            ("listeners: 7", ["homeserver.yaml:1: listeners: found the number 7, expected a list"]),
            ("\nmax_upload_size: [1]", ["homeserver.yaml:2: max_upload_size: found a list, expected a size"]),
            ("enable_registration: maybe", ["homeserver.yaml:1: enable_registration: found text, expected true or false"]),
            ("database: {name: mysql}", ["homeserver.yaml:1: database.name: found mysql, expected sqlite3 or psycopg2"]),
            ("database: {name: sqlite3}", ["database.args.database: found nothing"]),
            ("database: {name: sqlite3, args: {database: ':memory:'}}", ["database.args.database: found :memory:"]),
            ("database: {name: psycopg2, args: {cp_min: 9, cp_max: 3}}", ["cp_min: found 9, which is more than cp_max, 3"]),
            (
                "listeners:\n  - port: eighty\n    tls: 1",
                ["homeserver.yaml:2: listeners[0].port: found text", "homeserver.yaml:3: listeners[0].tls"]
            ),
            ("listeners:\n  - port: 70000", ["listeners[0].port: found the number 70000, expected a port number"]),
            ("listeners:\n  - port: 80\n    resources: [{names: [clients]}]", ["found clients, expected one of client"]),
            ("listeners:\n  - {port: 80, type: ftp}", ["listeners[0].type: found ftp"]),
            ("rc_message: {per_second: fast}", ["rc_message.per_second: found text, expected a number"]),
            ("bcrypt_rounds: 3", ["bcrypt_rounds: found the number 3, expected a number from 4 to 31"]),
            ("session_lifetime: 5 minutes", ["session_lifetime: found text, expected a duration"]),
            ("default_room_version: 99", ["default_room_version: found 99"]),
            ("public_baseurl: matrix.example.com", ["public_baseurl: found text, expected an address"]),
            ("auto_join_rooms: [room]", ["auto_join_rooms[0]: found room, expected #alias:server"]),
            ("encryption_enabled_by_default_for_room_type: some", ["expected all, invite or off"]),
            ("registration_shared_secret_path: /nowhere/secret", ["registration_shared_secret_path: /nowhere/secret cannot be read"]),
            ("form_secret: a\nform_secret_path: b", ["form_secret and form_secret_path cannot both be given"]),
            ("enable_registration: true", ["enable_registration: anyone could register"]),
            ("listeners: [{port: 8448, tls: true}]", ["tls_certificate_path: found nothing", "tls_private_key_path: found nothing"]),
            ("server_name: 'not a name'", ["homeserver.yaml:1: server_name: found not a name"]),
            ("presence: {enabled: sometimes}", ["presence.enabled: found text, expected true, false or untracked"]),
        ])
    func wrongValues(text: String, expected: [String]) throws {
        let result = try read(text)
        #expect(result.configuration == nil)
        let lines = result.errors.map(\.description)
        for part in expected { #expect(lines.contains { $0.contains(part) }, "\(part) in \(lines)") }
    }

    @Test("a secret is never part of an error")
    func secretsInErrors() throws {
        let result = try read("form_secret: [hunter2]\nmacaroon_secret_key: {hunter2: hunter2}\nregistration_shared_secret: true")
        #expect(result.errors.count == 3)
        for error in result.errors { #expect(!error.description.contains("hunter2")) }
    }

    @Test("all errors are told at once, required options included")
    func collecting() throws {
        let result = try read("bcrypt_rounds: many\npresence: 3\nlog_config: [x]", minimal: false)
        let options = Set(result.errors.compactMap(\.option))
        #expect(options == ["server_name", "database", "bcrypt_rounds", "presence", "log_config"])
        #expect(result.errors.contains { $0.description.contains("server_name: is required") })
    }

    @Test(
        "an unknown name is a warning with its line and the nearest known name",
        arguments: [
            (
                "\nenable_registraton: true",
                "homeserver.yaml:2: enable_registraton: is not a known option; did you mean enable_registration?"
            ),
            ("presence:\n  enabeld: true", "homeserver.yaml:2: presence.enabeld: is not a known option; did you mean presence.enabled?"),
            (
                "listeners:\n - port: 80\n   x_forwardet: true",
                "homeserver.yaml:3: listeners[0].x_forwardet: is not a known option; did you mean x_forwarded?"
            ),
            ("zzzzzzzzzzzz: 1", "homeserver.yaml:1: zzzzzzzzzzzz: is not a known option"),
            (
                "rc_message: {per_sec: 1}",
                "homeserver.yaml:1: rc_message.per_sec: is not a known option; known are per_second and burst_count"
            ),
        ])
    func unknownNames(text: String, expected: String) throws {
        let result = try read(text)
        #expect(result.configuration != nil)
        #expect(result.warnings.map(\.description) == [expected])
    }

    @Test(
        "malformed YAML names its line",
        arguments: [
            ("server_name: a\n  bad: indent", 2), ("a: [1, 2", 1), ("a: 'open", 1), ("a: 1\n\tb: 2", 2), ("a: 1\nb: 2\na: 3", 1),
            ("? [x]\n: y", 1),
        ])
    func malformed(text: String, line: Int) throws {
        do {
            _ = try YAMLFile.parse(text, file: "homeserver.yaml")
            Issue.record("no error for \(text)")
        } catch {
            #expect(error.location.file == "homeserver.yaml")
            #expect(error.location.line >= line)
        }
    }

    @Test("every name of Synapse's manual is known, built or not")
    func allNames() {
        let some = [
            "modules", "server_name", "gc_min_interval", "email", "limit_remote_rooms", "federation_domain_whitelist", "rc_reports",
            "oembed",
            "turn_uris", "matrix_rtc", "ui_auth", "sentry", "form_secret_path", "trusted_key_servers", "saml2_config", "push",
            "user_directory",
            "opentracing", "redis", "worker_app", "background_updates", "auto_accept_invites", "password_config",
        ]
        for name in some { #expect(ConfigurationOptions.all[name] != nil, "\(name)") }
        #expect(ConfigurationOptions.all.count > 225)
        #expect(ConfigurationOptions.all["password_config"]?.isBuilt == true && ConfigurationOptions.all["redis"]?.isBuilt == false)
    }

    @Test("listeners take what Synapse takes")
    func listeners() throws {
        let listeners = try settings(
            """
            tls_certificate_path: /etc/hostname
            tls_private_key_path: /etc/hostname
            listeners:
              - {port: 8448, tls: true, bind_address: '::1', resources: [{names: federation, compress: true}], tag: outside}
              - {port: 9000, type: metrics, bind_addresses: ['127.0.0.1']}
              - {path: /run/matrix.sock, mode: 0o660, resources: [{names: [client]}, {names: [media], compress: true}]}
              - {port: 9001, type: manhole}
            """
        ).listeners
        #expect(listeners.count == 3)
        #expect(listeners[0].binding == .tcp(addresses: ["::1"], port: 8448) && listeners[0].tls && listeners[0].tag == "outside")
        #expect(listeners[0].compressed == [.federation])
        #expect(listeners[1].resources == [.metrics])
        #expect(listeners[2].binding == .unix(path: "/run/matrix.sock", mode: 0o660))
        #expect(listeners[2].resources == [.client, .media] && listeners[2].compressed == [.media])
    }

    @Test("a generated configuration is read without a problem, and each has secrets of its own")
    func generated() throws {
        let template = ConfigurationTemplate(
            serverName: "my.domain.name", configurationDirectory: "/etc/matrix", dataDirectory: "/var/lib/mat\"rix\\", reportStats: true)
        let result = try read(template.homeserverYAML, minimal: false)
        let configuration = try #require(result.configuration, "\(result.problems)")
        #expect(result.problems.isEmpty && result.notBuilt.isEmpty)
        #expect(configuration.database == .sqlite(path: "/var/lib/mat\"rix\\/homeserver.db"))
        #expect(configuration.signingKeyPath == "/etc/matrix/my.domain.name.signing.key" && configuration.reportStats)
        #expect(configuration.listeners.first?.binding == .tcp(addresses: ["::1", "127.0.0.1"], port: 8008))
        let again = try #require(try read(template.homeserverYAML, minimal: false).configuration)
        let secrets = [configuration, again].flatMap { [$0.registrationSharedSecret, $0.macaroonSecretKey, $0.formSecret] }
        #expect(Set(secrets).count == 6 && secrets.allSatisfy { ($0?.utf8.count ?? 0) >= 50 })
        var open = template
        open.openPrivatePorts = true
        #expect(
            try read(open.homeserverYAML, minimal: false).configuration?.listeners.first?.binding
                == .tcp(addresses: Listener.defaultAddresses, port: 8008))
    }
}
