// The files that `--generate-config` writes.

/// A new `homeserver.yaml`, with secrets of its own.
package struct ConfigurationTemplate: Sendable {
    package var serverName: String
    /// Where the configuration and the signing key are.
    package var configurationDirectory: String
    /// Where the database and media are.
    package var dataDirectory: String
    package var reportStats: Bool
    /// Whether the listener is open to all, not just to this machine.
    package var openPrivatePorts: Bool
    package var port = 8008

    package init(
        serverName: String, configurationDirectory: String, dataDirectory: String, reportStats: Bool, openPrivatePorts: Bool = false
    ) {
        self.serverName = serverName
        self.configurationDirectory = configurationDirectory
        self.dataDirectory = dataDirectory
        self.reportStats = reportStats
        self.openPrivatePorts = openPrivatePorts
    }

    package var signingKeyPath: String { "\(configurationDirectory)/\(serverName).signing.key" }
    package var logConfigPath: String { "\(configurationDirectory)/\(serverName).log.config" }
    package var logPath: String { "\(dataDirectory)/homeserver.log" }

    package var homeserverYAML: String {
        """
        # Configuration of Martlet, in the format of Synapse's homeserver.yaml. Indentation matters: it is YAML.
        # `martlet check-config -c FILE` tells what is wrong with it, without starting the server.

        # The name that ends every user's id (@alice:\(serverName)). It cannot be changed once there are users.
        # It is the bare domain also where the server is reached at another name, through /.well-known or DNS.
        server_name: \(Self.quote(serverName))

        # Where clients reach this server, if not at https://SERVER_NAME/
        #public_baseurl: https://matrix.example.com/

        pid_file: \(Self.quote("\(dataDirectory)/homeserver.pid"))

        # Where the server listens. Put a reverse proxy such as nginx in front for TLS, passing the path on as it is.
        # x_forwarded: true believes the proxy's X-Forwarded-For; never set it on a port that clients reach directly.
        listeners:
          - port: \(port)
            tls: false
            type: http
            x_forwarded: true
        \(openPrivatePorts ? "" : "    bind_addresses: ['::1', '127.0.0.1']\n")    resources:
              - names: [client, federation]
                compress: false

        # The database: this file is enough to begin with. PostgreSQL is for more than a few users:
        #   CREATE ROLE martlet LOGIN PASSWORD 'secret';
        #   CREATE DATABASE martlet OWNER martlet ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
        #
        #database:
        #  name: psycopg2
        #  args:
        #    user: martlet
        #    password: secret
        #    database: martlet
        #    host: localhost
        #    cp_min: 5
        #    cp_max: 10
        database:
          name: sqlite3
          args:
            database: \(Self.quote("\(dataDirectory)/homeserver.db"))

        log_config: \(Self.quote(logConfigPath))
        media_store_path: \(Self.quote("\(dataDirectory)/media_store"))

        # The largest upload. The reverse proxy has such a limit as well (nginx: client_max_body_size).
        #max_upload_size: 50M

        # Whether anyone may register. Accounts are made with register_new_matrix_user all the same.
        #enable_registration: false

        # Who knows this secret can make accounts, also an administrator's.
        registration_shared_secret: \(Self.quote(Self.secret()))

        report_stats: \(reportStats)
        macaroon_secret_key: \(Self.quote(Self.secret()))
        form_secret: \(Self.quote(Self.secret()))

        # The key that signs what this server says to others. Keep a copy in a safe place.
        signing_key_path: \(Self.quote(signingKeyPath))

        """
    }

    package var logYAML: String { Self.logYAML(logPath: logPath) }

    package static func logYAML(logPath: String) -> String {
        """
        # What is logged and where to, as Python's logging.config writes it. Martlet reads the levels, and of the handlers that
        # the root logger uses the file name and how it is rotated; without a file it logs to standard error.

        version: 1

        formatters:
          precise:
            format: '%(asctime)s - %(name)s - %(levelname)s - %(message)s'

        handlers:
          file:
            class: logging.handlers.TimedRotatingFileHandler
            formatter: precise
            filename: \(quote(logPath))
            when: midnight
            backupCount: 3  # besides the current file
            encoding: utf8

          # For a service whose output is kept by somebody else, e.g. systemd's journal: handlers: [console] below.
          console:
            class: logging.StreamHandler
            formatter: precise

        loggers:
          # One line per request. WARNING turns them off, which saves a little work.
          martlet.access:
            level: INFO

        root:
          level: INFO
          handlers: [file]

        disable_existing_loggers: false

        """
    }

    /// 50 random characters, as much as 297 bits.
    static func secret() -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
        return String((0..<50).map { _ in alphabet[Int.random(in: 0..<alphabet.count)] })
    }

    /// A scalar in double quotes. YAML 1.2 §7.3.1.
    static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                quoted += "\\"
                quoted.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\x" + (digits.count < 2 ? "0" : "") + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
