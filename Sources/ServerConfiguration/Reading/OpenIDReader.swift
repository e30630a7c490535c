// `oidc_providers`, and the older `oidc_config` for a single one.

enum OpenIDReader {
    /// The mapping of Synapse itself, under its names. Others are programs in Python.
    private static let mappingModules = [
        "synapse.handlers.oidc.JinjaOidcMappingProvider", "synapse.handlers.oidc_handler.JinjaOidcMappingProvider",
    ]

    static func readList(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let nodes = node.list else { return reading.fail(node, option, expected: "a list of providers") }
        for (index, node) in nodes.enumerated() { read(node, "\(option)[\(index)]", requiresID: true, &reading) }
    }

    static func readOne(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        if node.entries != nil, case .bool(true)? = node["enabled"]?.value { read(node, option, requiresID: false, &reading) }
    }

    private static func read(
        _ node: ConfigNode, _ option: String, requiresID: Bool, _ reading: inout ConfigurationOption.Reading
    ) {
        guard var mapping = MappingReader(node, option, expected: "a mapping with idp_id, idp_name, issuer and client_id", &reading) else {
            return
        }
        if !requiresID { _ = mapping.bool("enabled") }
        let appearance = appearance(&mapping, requiresID: requiresID)
        let issuer = mapping.requiredString("issuer"), clientID = mapping.requiredString("client_id")
        var provider = OpenIDConfiguration(appearance: appearance, issuer: issuer ?? "", clientID: clientID ?? "")
        readClient(&mapping, &provider)
        readEndpoints(&mapping, &provider)
        readUsers(&mapping, &provider)
        guard mapping.finish(&reading) else { return }
        if reading.configuration.login.openID.contains(where: { $0.appearance.id == provider.appearance.id }) {
            return reading.fail(node, "\(option).idp_id", because: "another provider has the same idp_id")
        }
        reading.configuration.login.openID.append(provider)
    }

    // MARK: The provider

    /// Ids have a prefix, so that the accounts of different kinds of providers never mix; `oidc` alone is as old as Synapse's support.
    private static func appearance(_ mapping: inout MappingReader, requiresID: Bool) -> ProviderAppearance {
        let name = requiresID ? mapping.requiredString("idp_name") : mapping.string("idp_name")
        let id = requiresID ? mapping.requiredString("idp_id") : mapping.string("idp_id")
        if let id, let node = mapping.node("idp_id"), !isID(id) {
            mapping.fail(node, "idp_id", because: "found \(id), expected up to 250 letters, digits and ._~-")
        }
        var appearance = ProviderAppearance(id: id.map { $0 == "oidc" ? $0 : "oidc-\($0)" } ?? "oidc", name: name ?? "OIDC")
        AppearanceReader.read(&mapping, &appearance)
        return appearance
    }

    private static func isID(_ text: String) -> Bool {
        (1...250).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func readClient(_ mapping: inout MappingReader, _ provider: inout OpenIDConfiguration) {
        provider.clientSecret = mapping.secret("client_secret")
        provider.secretKey = secretKey(&mapping)
        let hasSecret = provider.clientSecret != nil || provider.secretKey != nil
        let method = mapping.choice("client_auth_method", as: OpenIDConfiguration.ClientAuthentication.self)
        if let method, method != .none, !hasSecret, let node = mapping.node("client_auth_method") {
            mapping.fail(node, "client_auth_method", because: "needs client_secret; without one it is none")
        }
        provider.clientAuthentication = method ?? (hasSecret ? .basic : .none)
        if let method = mapping.choice("pkce_method", as: OpenIDConfiguration.ProofKey.self) { provider.proofKey = method }
        if let scopes = mapping.strings("scopes") { provider.scopes = scopes }
        provider.redirectURI = mapping.string("redirect_uri")
        provider.additionalParameters = mapping.texts("additional_authorization_parameters").map { ($0.name, $0.text) }
        provider.passedParameters = mapping.strings("passthrough_authorization_parameters") ?? []
    }

    private static func secretKey(_ mapping: inout MappingReader) -> OpenIDConfiguration.SecretKey? {
        guard let node = mapping.node("client_secret_jwt_key") else { return nil }
        var inner = MappingReader(within: node, "\(mapping.option).client_secret_jwt_key")
        let file = inner.string("key_file"), header = inner.texts("jwt_header"), payload = inner.texts("jwt_payload")
        var key = inner.string("key")
        if let file, let fileNode = inner.node("key_file") {
            do throws(ConfigurationProblem) {
                key = try FileText.read(file)
            } catch {
                inner.fail(fileNode, "key_file", because: "\(file) \(error.message)")
            }
        }
        if key == nil { inner.missing("key", "a private key in PEM, or key_file") }
        let name = header.first { $0.name == "alg" }?.text
        let algorithm = name.flatMap { JWTAlgorithm(rawValue: $0) }
        if algorithm == nil || algorithm?.isSymmetric == true { inner.missing("jwt_header.alg", "ES256 or RS256") }
        mapping.adopt(inner)
        guard let key, let algorithm else { return nil }
        return OpenIDConfiguration.SecretKey(
            key: key, algorithm: algorithm, header: Dictionary(header.map { ($0.name, $0.text) }) { _, last in last },
            payload: Dictionary(payload.map { ($0.name, $0.text) }) { _, last in last })
    }

    private static func readEndpoints(_ mapping: inout MappingReader, _ provider: inout OpenIDConfiguration) {
        if let discovers = mapping.bool("discover") { provider.discovers = discovers }
        if let skips = mapping.bool("skip_verification") { provider.skipsVerification = skips }
        provider.authorizationEndpoint = mapping.string("authorization_endpoint")
        provider.tokenEndpoint = mapping.string("token_endpoint")
        provider.userInfoEndpoint = mapping.string("userinfo_endpoint")
        provider.keySetAddress = mapping.string("jwks_uri")
        if let names = mapping.strings("id_token_signing_alg_values_supported"),
            let node = mapping.node("id_token_signing_alg_values_supported")
        {
            provider.algorithms = names.compactMap { JWTAlgorithm(rawValue: $0) }.filter { !$0.isSymmetric }
            if provider.algorithms?.isEmpty == true {
                mapping.fail(
                    node, "id_token_signing_alg_values_supported", because: "holds no algorithm with a public key that is known here")
            }
        }
        if let method = mapping.choice("user_profile_method", as: OpenIDConfiguration.ProfileMethod.self) {
            provider.profileMethod = method
        }
    }

    // MARK: Its users

    private static func readUsers(_ mapping: inout MappingReader, _ provider: inout OpenIDConfiguration) {
        if let allows = mapping.bool("allow_existing_users") { provider.allowsExistingUsers = allows }
        if let enables = mapping.bool("enable_registration") { provider.isRegistrationEnabled = enables }
        if let enables = mapping.bool("backchannel_logout_enabled") { provider.isBackchannelLogoutEnabled = enables }
        if let ignores = mapping.bool("backchannel_logout_ignore_sub") { provider.backchannelLogoutIgnoresSubject = ignores }
        if let nodes = mapping.nodes("attribute_requirements", expected: "a list of mappings with attribute") {
            for (index, node) in nodes.enumerated() {
                var inner = MappingReader(within: node, "\(mapping.option).attribute_requirements[\(index)]")
                let value = inner.string("value"), oneOf = inner.strings("one_of")
                if let attribute = inner.requiredString("attribute") {
                    provider.requirements.append(
                        AttributeRequirement(attribute: attribute, values: (value.map { [$0] } ?? []) + (oneOf ?? [])))
                }
                mapping.adopt(inner)
            }
        }
        provider.mapping.option = "\(mapping.option).user_mapping_provider.config"
        guard let node = mapping.node("user_mapping_provider") else { return }
        var outer = MappingReader(within: node, "\(mapping.option).user_mapping_provider")
        if let module = outer.string("module"), let node = outer.node("module"), !mappingModules.contains(module) {
            outer.fail(node, "module", because: "\(module) is a program for Synapse; this server has \(mappingModules[0]) only")
        }
        if let config = outer.node("config") {
            var inner = MappingReader(within: config, provider.mapping.option)
            readMapping(&inner, &provider.mapping)
            outer.adopt(inner)
        }
        mapping.adopt(outer)
    }

    private static func readMapping(_ reader: inout MappingReader, _ mapping: inout OpenIDConfiguration.Mapping) {
        let claim = reader.string("subject_claim")
        if let template = reader.string("subject_template") ?? claim.map({ "{{ user.\($0) }}" }) { mapping.subject = template }
        mapping.localpart = reader.string("localpart_template")
        mapping.displayName = reader.string("display_name_template")
        mapping.email = reader.string("email_template")
        if let confirms = reader.bool("confirm_localpart") { mapping.confirmsLocalpart = confirms }
        for (name, text) in reader.texts("extra_attributes") { mapping.extraAttributes[name] = text }
        let picture = reader.string("picture_claim")
        if let template = reader.string("picture_template") ?? picture.map({ "{{ user.\($0) }}" }) { mapping.picture = template }
    }
}

/// `idp_icon` and `idp_brand`.
enum AppearanceReader {
    static func read(_ mapping: inout MappingReader, _ appearance: inout ProviderAppearance) {
        appearance.icon = mapping.string("idp_icon")
        appearance.brand = mapping.string("idp_brand")
        if let icon = appearance.icon, !icon.hasPrefix("mxc://"), let node = mapping.node("idp_icon") {
            mapping.fail(node, "idp_icon", because: "found \(icon), expected an address that begins with mxc://")
        }
        if let brand = appearance.brand, !isBrand(brand), let node = mapping.node("idp_brand") {
            mapping.fail(node, "idp_brand", because: "found \(brand), expected a letter from a to z, then letters, digits and _.-")
        }
    }

    private static func isBrand(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 255 else { return false }
        return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

/// `cas_config`.
enum CASReader {
    static func read(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard var mapping = MappingReader(node, option, expected: "a mapping with enabled and server_url", &reading) else { return }
        let isEnabled = mapping.bool("enabled") ?? true
        let serverURL = mapping.requiredString("server_url")
        var cas = CASConfiguration(serverURL: trimmed(serverURL ?? ""))
        if let version = mapping.node("protocol_version") {
            if case .int(let number) = version.value, (1...3).contains(number) {
                cas.protocolVersion = number
            } else {
                mapping.fail(version, "protocol_version", expected: "1, 2 or 3")
            }
        }
        cas.displayNameAttribute = mapping.string("displayname_attribute")
        if let attributes = mapping.node("required_attributes") {
            guard let entries = attributes.entries else {
                return reading.fail(attributes, "\(option).required_attributes", expected: "a mapping of attributes")
            }
            for entry in entries {
                let value = entry.node.textValue
                if value == nil, !entry.node.isNull {
                    mapping.fail(entry.node, "required_attributes.\(entry.key)", expected: "text, or nothing")
                }
                cas.requirements.append(AttributeRequirement(attribute: entry.key, values: value.map { [$0] } ?? []))
            }
        }
        if let enables = mapping.bool("enable_registration") { cas.isRegistrationEnabled = enables }
        let allowsNumeric = mapping.bool("allow_numeric_ids") ?? false
        let prefix = mapping.string("numeric_ids_prefix") ?? "u"
        if !UserIDCharacters.areLettersAndDigits(prefix), let node = mapping.node("numeric_ids_prefix") {
            mapping.fail(node, "numeric_ids_prefix", because: "found \(prefix), expected letters and digits")
        }
        cas.numericPrefix = allowsNumeric ? prefix : nil
        if let name = mapping.string("idp_name") { cas.appearance.name = name }
        AppearanceReader.read(&mapping, &cas.appearance)
        // Of old configurations; the address follows from public_baseurl.
        _ = mapping.node("service_url")
        guard mapping.finish(&reading), isEnabled else { return }
        reading.configuration.login.cas = cas
    }

    private static func trimmed(_ url: String) -> String {
        url.hasSuffix("/") ? String(url.dropLast()) : url
    }
}

private enum UserIDCharacters {
    static func areLettersAndDigits(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
    }
}
