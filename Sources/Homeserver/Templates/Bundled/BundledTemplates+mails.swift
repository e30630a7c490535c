// The built-in templates of mails. Each has two forms: one of plain text and one of HTML.

extension BundledTemplates {
    static let mails: [String: String] = [
        "registration.txt": text("Somebody, probably you, wants to register an account on {{ server_name }} with this address.", ignoring),
        "registration.html": html("Somebody, probably you, wants to register an account on {{ server_name }} with this address.", ignoring),
        "add_threepid.txt": text("Somebody, probably you, wants to add this address to an account on {{ server_name }}.", ignoring),
        "add_threepid.html": html("Somebody, probably you, wants to add this address to an account on {{ server_name }}.", ignoring),
        "password_reset.txt": text("Somebody, probably you, asked for a new password for your account on {{ server_name }}.", warning),
        "password_reset.html": html("Somebody, probably you, asked for a new password for your account on {{ server_name }}.", warning),
        "already_in_use.txt": text(known, "If it was not you, there is nothing to do.", hasLink: false),
        "already_in_use.html": html(known, "If it was not you, there is nothing to do.", hasLink: false),
        "notice_expiry.txt": expiryText,
        "notice_expiry.html": expiryHTML,
    ]

    private static let ignoring = "If it was not you, there is nothing to do: nothing happens unless the link is opened."
    private static let warning = "If it was not you, do not open the link, and tell the administrator of the server."
    private static let known =
        "Somebody, probably you, tried to register an account on {{ server_name }} with this address, but it belongs to an account"
        + " already. If you have lost its password, you can have it reset."

    private static let expiryText = """
        Hello {{ display_name }},

        Your account on {{ server_name }} ends on {{ expiration_ts|format_ts("%Y-%m-%d") }}; after that you cannot use it. To keep it, open this link:

        {{ url }}
        """

    private static let expiryHTML = """
        {% extends "_base.html" %}
        {% block body %}
        <p>Hello {{ display_name }},</p>
        <p>Your account on {{ server_name }} ends on {{ expiration_ts|format_ts("%Y-%m-%d") }}; after that you cannot use it. To keep it, open
        this link:</p>
        <p><a href="{{ url }}">{{ url }}</a></p>
        {% endblock %}
        """

    private static func text(_ reason: String, _ advice: String, hasLink: Bool = true) -> String {
        """
        Hello,

        \(reason)\(hasLink ? "\n\nTo confirm, open this link:\n\n{{ link }}" : "")

        \(advice)
        """
    }

    private static func html(_ reason: String, _ advice: String, hasLink: Bool = true) -> String {
        """
        {% extends "_base.html" %}
        {% block body %}
        <p>Hello,</p>
        <p>\(reason)</p>
        \(hasLink ? "<p>To confirm, open this link:</p>\n<p><a href=\"{{ link }}\">{{ link }}</a></p>" : "")
        <p>\(advice)</p>
        {% endblock %}
        """
    }
}
