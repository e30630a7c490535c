// What a browser is sent in the course of single sign-on.

import MatrixCore

/// Where a browser goes next, or what it shows.
package struct SignOnAnswer: Sendable, Equatable {
    package enum Content: Sendable, Equatable {
        case redirect(String)
        case page(SignOnPage)
    }

    package var content: Content
    package var cookies: [SignOnCookie] = []

    package init(_ content: Content, cookies: [SignOnCookie] = []) {
        self.content = content
        self.cookies = cookies
    }

    package static func redirect(_ address: String) -> SignOnAnswer { SignOnAnswer(.redirect(address)) }
    package static func page(_ template: String, _ values: TemplateValues, status: Int = 200) -> SignOnAnswer {
        SignOnAnswer(.page(SignOnPage(template: template, values: values, status: status)))
    }
}

/// A page, by its template.
package struct SignOnPage: Sendable, Equatable {
    package let template: String
    package let values: TemplateValues
    package let status: Int

    package init(template: String, values: TemplateValues, status: Int) {
        self.template = template
        self.values = values
        self.status = status
    }
}

/// What a browser keeps for this server, out of reach of scripts.
package struct SignOnCookie: Sendable, Equatable {
    package let name: String
    /// Empty: the browser forgets it.
    package let value: String
    /// Below `public_baseurl`.
    package let path: String
    package let lifetime: Duration
    /// Whether it is sent back also with a form that another site's page has posted.
    package let crossesSites: Bool

    package init(name: String, value: String, path: String, lifetime: Duration, crossesSites: Bool = false) {
        self.name = name
        self.value = value
        self.path = path
        self.lifetime = lifetime
        self.crossesSites = crossesSites
    }

    /// The same cookie, to be forgotten.
    package var forgotten: SignOnCookie {
        SignOnCookie(name: name, value: "", path: path, lifetime: .zero, crossesSites: crossesSites)
    }

    /// The value of a `Set-Cookie` field.
    ///
    /// - Parameter publicBaseURL: where browsers see this server.
    package func header(publicBaseURL: String) -> String {
        let isSecure = publicBaseURL.hasPrefix("https://")
        let prefix = publicBaseURL.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).dropFirst(3).first ?? ""
        var parts = ["\(name)=\(value)", "Path=/\(prefix)\(path)", "Max-Age=\(lifetime.milliseconds / 1000)", "HttpOnly"]
        // Browsers take `None` together with `Secure` only.
        parts.append(crossesSites && isSecure ? "SameSite=None" : "SameSite=Lax")
        if isSecure { parts.append("Secure") }
        return parts.joined(separator: "; ")
    }
}

/// Why somebody is not logged in, as the page about it tells.
package struct SignOnFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// A word that an operator can look for.
    package let code: String
    package let message: String
    package let status: Int

    package init(_ code: String, _ message: String, status: Int = 400) {
        self.code = code
        self.message = message
        self.status = status
    }

    package var description: String { "\(code): \(message)" }

    package var answer: SignOnAnswer {
        .page("sso_error.html", ["error": .string(code), "error_description": .string(message)], status: status)
    }
}
