// Pages for people, from templates.

import Homeserver
import MatrixCore

/// What a page may load and where its forms may lead, beyond nothing.
package struct PagePolicy: Sendable {
    /// Where scripts of the page may come from besides the page itself.
    var scripts: [String] = []
    var frames: [String] = []
    /// Whether the page's scripts may ask this server.
    var asksServer = false
    /// Whether a form of the page may lead to another site in the end: browsers look at where the answer redirects to.
    var leadsElsewhere = false

    package static let plain = PagePolicy()
    static let redirecting = PagePolicy(leadsElsewhere: true)
    static let asking = PagePolicy(asksServer: true)
    static let captcha = PagePolicy(
        scripts: ["https://www.recaptcha.net/recaptcha/", "https://www.gstatic.com/recaptcha/"],
        frames: ["https://www.recaptcha.net/recaptcha/", "https://recaptcha.net/recaptcha/"])

    /// The value of `Content-Security-Policy` for a page of ours.
    ///
    /// - Parameter nonce: what the page's own scripts carry.
    package func header(nonce: String) -> String {
        var parts = [
            "default-src 'none'", "style-src 'unsafe-inline'", "script-src \((["'nonce-\(nonce)'"] + scripts).joined(separator: " "))",
            "base-uri 'none'", "frame-ancestors 'none'",
        ]
        if !frames.isEmpty { parts += ["frame-src \(frames.joined(separator: " "))", "connect-src \(frames.joined(separator: " "))"] }
        if asksServer { parts.append("connect-src 'self'") }
        if !leadsElsewhere { parts.append("form-action 'self'") }
        return parts.joined(separator: "; ")
    }
}

extension APIContext {
    /// A page from one of the server's templates.
    ///
    /// - Throws: `TemplateError`.
    func page(
        _ template: String, _ values: TemplateValues = [:], status: Int = 200, policy: PagePolicy = .plain
    ) throws -> APIResponse {
        let nonce = Self.nonce()
        let templates = homeserver.templates
        let html = try templates.render(template, values.merging(["nonce": .string(nonce)]) { value, _ in value })
        return Self.page(html, status: status, policy: templates.isCustom(template) ? nil : policy.header(nonce: nonce))
    }

    /// A page whose text is made already.
    ///
    /// - Parameter policy: nil for pages of the operator's, which may load and run what the operator likes.
    static func page(_ html: String, status: Int = 200, policy: String? = nil) -> APIResponse {
        var response = APIResponse.html(html, status: status)
        response.headers += [
            ("Content-Security-Policy", policy ?? "frame-ancestors 'none'"), ("X-Frame-Options", "DENY"),
            ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
        ]
        return response
    }

    private static func nonce() -> String {
        var generator = SystemRandomNumberGenerator()
        return Base64.encode((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }
}
