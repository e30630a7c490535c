// The built-in templates, under the names that Synapse gives them.

package enum BundledTemplates {
    package static let all = pages.merging(mails) { page, _ in page }.merging(signOn) { page, _ in page }

    static let pages: [String: String] = [
        "_base.html": base,
        "style.css": style,
        "auth_success.html": success,
        "recaptcha.html": captcha,
        "terms.html": terms,
        "registration_token.html": registrationToken,
        "auth_dummy.html": dummy,
        "auth_password.html": password,
        "auth_email.html": email,
        "auth_msisdn.html": phone,
        "password_reset_confirmation.html": resetConfirmation,
        "password_reset_success.html": message("Your address is confirmed", "Go back to your client to choose the new password."),
        "password_reset_failure.html": failure("The password was not reset"),
        "registration_success.html": message("Your address is confirmed", "Go back to your client to finish the registration."),
        "registration_failure.html": failure("The address was not confirmed"),
        "add_threepid_success.html": message("Your address is confirmed", "Go back to your client to add it to your account."),
        "add_threepid_failure.html": failure("The address was not added"),
        "account_renewed.html": message("Your account goes on", "It is valid until \(end)."),
        "account_previously_renewed.html": message("Your account goes on", "It was renewed before, and is valid until \(end)."),
        "invalid_token.html": message("This link is not valid", "Please ask for another one, or ask the administrator of the server."),
    ]

    private static let end = "{{ expiration_ts|format_ts(\"%Y-%m-%d\") }}"

    private static let base = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{% block title %}{{ server_name }}{% endblock %}</title>
        <style>{% include "style.css" without context %}</style>
        {% block header %}{% endblock %}
        </head>
        <body>
        <main>
        {% block body %}{% endblock %}
        </main>
        <footer>{{ server_name }}</footer>
        </body>
        </html>
        """

    private static let style = """
        :root { color-scheme: light dark; }
        body { font-family: system-ui, sans-serif; line-height: 1.5; margin: 0; padding: 2rem 1rem; }
        main { max-width: 28rem; margin: 0 auto; }
        h1 { font-size: 1.4rem; }
        label { display: block; margin: 1rem 0 .25rem; }
        input[type=text], input[type=email], input[type=password] { width: 100%; box-sizing: border-box; padding: .5rem; font: inherit; }
        button { margin-top: 1rem; padding: .5rem 1.5rem; font: inherit; cursor: pointer; }
        .error { border-left: .25rem solid #c00; padding-left: .75rem; }
        footer { max-width: 28rem; margin: 3rem auto 0; opacity: .6; font-size: .85rem; }
        """

    /// Client-Server API §Fallback: how the page tells the client that opened it.
    private static let success = """
        {% extends "_base.html" %}
        {% block title %}Done{% endblock %}
        {% block header %}
        <script nonce="{{ nonce }}">
        if (window.onAuthDone) { window.onAuthDone(); }
        else if (window.opener && window.opener.postMessage) { window.opener.postMessage("authDone", "*"); }
        </script>
        {% endblock %}
        {% block body %}
        <h1>Thank you</h1>
        <p>You can close this window and go back to your client.</p>
        {% endblock %}
        """

    private static let captcha = form(
        title: "Are you a person?", header: captchaScript,
        """
        <p>Accounts of this server are for people. Please solve this riddle to show that you are one.</p>
        <div class="g-recaptcha" data-sitekey="{{ sitekey }}" data-callback="captchaDone"></div>
        <noscript><p>Your browser has to run scripts for this.</p></noscript>
        """, button: nil)

    private static let captchaScript = """
        <script nonce="{{ nonce }}" src="https://www.recaptcha.net/recaptcha/api.js" async defer></script>
        <script nonce="{{ nonce }}">function captchaDone() { document.getElementById("stage").submit(); }</script>
        """

    private static let terms = form(
        title: "Terms of this server",
        """
        <p>To have an account on this server you agree to its <a href="{{ terms_url }}" target="_blank" rel="noopener">terms</a>.</p>
        """, button: "I agree")

    private static let registrationToken = form(
        title: "Registration token",
        """
        <label for="token">The token that you were given for your registration</label>
        <input type="text" id="token" name="token" autocomplete="off" autocapitalize="none" required autofocus>
        """, button: "Continue")

    private static let dummy = form(title: "Continue", "<p>Nothing has to be proven here.</p>", button: "Continue")

    private static let password = form(
        title: "Your password",
        """
        <p>Enter the password of {{ user }} to confirm.</p>
        <label for="password">Password</label>
        <input type="password" id="password" name="password" autocomplete="current-password" required autofocus>
        """, button: "Confirm")

    private static let email = form(
        title: "Your e-mail address",
        """
        {% if sid %}
        <p>If everything is right with that address, a mail with a link is on its way. Open the link, come back here, and continue.</p>
        <input type="hidden" name="sid" value="{{ sid }}">
        <input type="hidden" name="client_secret" value="{{ client_secret }}">
        {% else %}
        <label for="email">E-mail address</label>
        <input type="email" id="email" name="email" autocomplete="email" required autofocus>
        {% endif %}
        """, button: "Continue")

    private static let phone = form(
        title: "Your telephone number",
        """
        {% if sid %}
        <p>If everything is right with that number, a message with a code is on its way.</p>
        <input type="hidden" name="sid" value="{{ sid }}">
        <input type="hidden" name="client_secret" value="{{ client_secret }}">
        <label for="code">Code</label>
        <input type="text" id="code" name="code" autocomplete="one-time-code" required autofocus>
        {% else %}
        <label for="phone">Telephone number, with a plus and the code of the country</label>
        <input type="tel" id="phone" name="phone" autocomplete="tel" required autofocus>
        {% endif %}
        """, button: "Continue")

    private static let resetConfirmation = """
        {% extends "_base.html" %}
        {% block title %}Reset your password{% endblock %}
        {% block body %}
        <h1>Reset your password</h1>
        <form method="post">
        <input type="hidden" name="sid" value="{{ sid }}">
        <input type="hidden" name="token" value="{{ token }}">
        <input type="hidden" name="client_secret" value="{{ client_secret }}">
        <p>Somebody asked for a new password for your account. If it was not you, close this page: nothing changes then.</p>
        <button type="submit">It was me</button>
        </form>
        {% endblock %}
        """

    /// The page of a stage. `myurl` is where it is sent to.
    private static func form(title: String, header: String = "", _ body: String, button: String?) -> String {
        """
        {% extends "_base.html" %}
        {% block title %}\(title){% endblock %}
        {% block header %}\(header){% endblock %}
        {% block body %}
        <h1>\(title)</h1>
        {% if error is defined %}<p class="error">{{ error }}</p>{% endif %}
        <form id="stage" method="post" action="{{ myurl }}">
        <input type="hidden" name="session" value="{{ session }}">
        \(body)
        \(button.map { "<button type=\"submit\">\($0)</button>" } ?? "")
        </form>
        {% endblock %}
        """
    }

    private static func message(_ title: String, _ text: String) -> String {
        """
        {% extends "_base.html" %}
        {% block title %}\(title){% endblock %}
        {% block body %}<h1>\(title)</h1><p>\(text)</p>{% endblock %}
        """
    }

    private static func failure(_ title: String) -> String {
        """
        {% extends "_base.html" %}
        {% block title %}\(title){% endblock %}
        {% block body %}<h1>\(title)</h1><p class="error">{{ failure_reason }}</p>{% endblock %}
        """
    }
}
