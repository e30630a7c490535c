// From what a provider tells of somebody to an account: the templates of `user_mapping_provider.config`.

import MatrixCore
import ServerConfiguration

package struct OpenIDMapping: Sendable {
    private let subject: Template
    private let localpart: Template?
    private let displayName: Template?
    private let email: Template?
    private let picture: Template
    private let extraAttributes: [(name: String, template: Template)]
    private let confirmsLocalpart: Bool

    /// - Throws: `TemplateError` for a template that is not understood.
    package init(_ configuration: OpenIDConfiguration.Mapping) throws(TemplateError) {
        func template(_ text: String, _ name: String) throws(TemplateError) -> Template {
            try Template(text, name: "\(configuration.option).\(name)")
        }
        subject = try template(configuration.subject, "subject_template")
        localpart = try configuration.localpart.map { text throws(TemplateError) in try template(text, "localpart_template") }
        displayName = try configuration.displayName.map { text throws(TemplateError) in try template(text, "display_name_template") }
        email = try configuration.email.map { text throws(TemplateError) in try template(text, "email_template") }
        picture = try template(configuration.picture, "picture_template")
        var extraAttributes: [(name: String, template: Template)] = []
        for (name, text) in configuration.extraAttributes.sorted(by: { $0.key < $1.key }) {
            extraAttributes.append((name, try template(text, "extra_attributes.\(name)")))
        }
        self.extraAttributes = extraAttributes
        confirmsLocalpart = configuration.confirmsLocalpart
    }

    /// Who somebody is at the provider.
    package func subject(of claims: JSON) throws -> String { try Self.render(subject, claims) }

    package func attributes(of claims: JSON, failures: Int) throws -> SignOnAttributes {
        var attributes = SignOnAttributes(localpart: nil, confirmsLocalpart: confirmsLocalpart)
        if let localpart {
            let name = MappedLocalpart.localpart(of: try Self.render(localpart, claims))
            if !name.isEmpty { attributes.localpart = name + (failures > 0 ? String(failures) : "") }
        }
        if let name = try displayName.map({ try Self.render($0, claims) }), !name.isEmpty { attributes.displayName = name }
        if let address = try email.map({ try Self.render($0, claims) }), !address.isEmpty { attributes.emails = [address] }
        let picture = try Self.render(picture, claims)
        if !picture.isEmpty { attributes.picture = picture }
        return attributes
    }

    /// Members of the login's answer; one that cannot be worked out is left out.
    package func extraAttributes(of claims: JSON) -> JSONObject {
        var attributes: JSONObject = [:]
        for (name, template) in extraAttributes {
            if let value = try? Self.render(template, claims) { attributes[name] = .string(value) }
        }
        return attributes
    }

    private static func render(_ template: Template, _ claims: JSON) throws -> String {
        let renderer = TemplateRenderer { (_) throws(TemplateError) in nil }
        let text = try renderer.render(template, ["user": claims.value])
        var trimmed = Substring(text)
        while trimmed.first?.isWhitespace == true { trimmed = trimmed.dropFirst() }
        while trimmed.last?.isWhitespace == true { trimmed = trimmed.dropLast() }
        return String(trimmed)
    }
}

/// Names of elsewhere as localparts. Appendices §Mapping from other character sets.
package enum MappedLocalpart {
    /// Capitals become small, and what no localpart holds becomes `=` with two hexadecimal digits; so does an underscore at the
    /// beginning, which is for application services.
    package static func localpart(of name: String) -> String {
        let digits = Array("0123456789abcdef".utf8)
        func escaped(_ byte: UInt8) -> [UInt8] { [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        var mapped: [UInt8] = []
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): mapped.append(byte | 0x20)
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "/"), UInt8(ascii: "+"):
                mapped.append(byte)
            case UInt8(ascii: "_"): mapped += mapped.isEmpty ? escaped(byte) : [byte]
            default: mapped += escaped(byte)
            }
        }
        return String(decoding: mapped, as: UTF8.self)
    }
}
