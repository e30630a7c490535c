// `email`.

enum EmailOptions {
    static let option = ConfigurationOption.custom("email", read)

    /// The options that name a template's file.
    private static let templateOptions: Set<String> = [
        "password_reset_template_html", "password_reset_template_text", "registration_template_html", "registration_template_text",
        "already_in_use_template_html", "already_in_use_template_text", "add_threepid_template_html", "add_threepid_template_text",
        "password_reset_template_failure_html", "registration_template_failure_html", "add_threepid_template_failure_html",
        "password_reset_template_success_html", "registration_template_success_html", "add_threepid_template_success_html",
        "expiry_template_html", "expiry_template_text",
    ]

    /// About mails of what happened in rooms.
    private static let notBuilt: Set<String> = [
        "enable_notifs", "notif_for_new_users", "notif_delay_before_mail", "client_base_url", "riot_base_url", "invite_client_location",
        "notif_template_html", "notif_template_text",
    ]

    private static func read(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let entries = node.entries else {
            return reading.fail(node, option, expected: "a mapping with smtp_host, notif_from and others")
        }
        // As in Synapse, an empty section is none.
        guard !entries.isEmpty else { return }
        var email = EmailConfiguration()
        for entry in entries where !entry.node.isNull {
            read(entry, "\(option).\(entry.key)", &email, &reading)
        }
        email.security = security(node, option, &reading)
        guard email.senderAddress != nil else {
            return reading.fail(
                node["notif_from"] ?? node, "\(option).notif_from", expected: "who sends the mails, e.g. Our server <noreply@example.com>")
        }
        reading.configuration.email = email
    }

    private static func read(
        _ entry: ConfigNode.Entry, _ path: String, _ email: inout EmailConfiguration, _ reading: inout ConfigurationOption.Reading
    ) {
        let node = entry.node
        func text(_ set: (inout EmailConfiguration, String) -> Void) {
            guard let text = node.textValue else { return reading.fail(node, path, expected: "text") }
            set(&email, text)
        }
        switch entry.key {
        case "smtp_host": text { $0.host = $1 }
        case "smtp_user": text { $0.user = $1 }
        case "smtp_pass": text { $0.password = $1 }
        case "tlsname": text { $0.tlsName = $1 }
        case "notif_from": text { $0.sender = $1 }
        case "app_name": text { $0.appName = $1 }
        case "template_dir": text { $0.templateDirectory = $1 }
        case "smtp_port":
            guard let port = node.textValue.flatMap({ Int($0) }), (1...65535).contains(port) else {
                return reading.fail(node, path, expected: "a port number")
            }
            email.port = port
        case "validation_token_lifetime":
            guard let lifetime = Units.duration(node), lifetime > .zero else {
                return reading.fail(node, path, expected: ConfigurationOption.durationInWords)
            }
            email.tokenLifetime = lifetime
        case "force_tls", "require_transport_security", "enable_tls": break
        case "subjects": readSubjects(node, path, &email, &reading)
        case let name where templateOptions.contains(name): text { $0.templateNames[name] = $1 }
        case let name where notBuilt.contains(name):
            if case .bool(false) = node.value { return }
            reading.notBuilt.append(path)
        default:
            let known = templateOptions.union(notBuilt).union([
                "smtp_host", "smtp_port", "smtp_user", "smtp_pass", "notif_from", "app_name",
            ])
            let nearest = NearestName.nearest(to: entry.key, among: known)
            reading.warn(entry.keyLocation, path, "is not a known option" + (nearest.map { "; did you mean email.\($0)?" } ?? ""))
        }
    }

    private static func readSubjects(
        _ node: ConfigNode, _ path: String, _ email: inout EmailConfiguration, _ reading: inout ConfigurationOption.Reading
    ) {
        guard let entries = node.entries else { return reading.fail(node, path, expected: "a mapping") }
        for entry in entries where !entry.node.isNull {
            guard let text = entry.node.textValue else {
                reading.fail(entry.node, "\(path).\(entry.key)", expected: "text")
                continue
            }
            switch entry.key {
            case "password_reset": email.subjects.passwordReset = text
            case "email_validation": email.subjects.emailValidation = text
            case "email_already_in_use": email.subjects.emailAlreadyInUse = text
            default: reading.notBuilt.append("\(path).\(entry.key)")
            }
        }
    }

    private static func security(
        _ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading
    ) -> EmailConfiguration.Security {
        func flag(_ name: String, default value: Bool) -> Bool {
            switch node[name]?.value {
            case nil, .null: return value
            case .bool(let flag): return flag
            default:
                reading.fail(node[name] ?? node, "\(option).\(name)", expected: "true or false")
                return value
            }
        }
        let (isForced, isRequired) = (flag("force_tls", default: false), flag("require_transport_security", default: false))
        guard flag("enable_tls", default: true) else {
            for (name, isSet) in [("force_tls", isForced), ("require_transport_security", isRequired)] where isSet {
                reading.fail(node[name] ?? node, "\(option).\(name)", because: "needs \(option).enable_tls to be true")
            }
            return .plain
        }
        return isForced ? .implicit : isRequired ? .startTLS : .opportunistic
    }
}
