// The pages of single sign-on.

extension BundledTemplates {
    static let signOn: [String: String] = [
        "login_fallback.html": loginFallback,
        "sso_login_idp_picker.html": picker,
        "sso_redirect_confirm.html": redirectConfirmation,
        "sso_auth_confirm.html": operationConfirmation,
        "sso_auth_success.html": #"{% extends "auth_success.html" %}"#,
        "sso_auth_bad_user.html": badUser,
        "sso_auth_account_details.html": accountDetails,
        "sso_new_user_consent.html": terms,
        "sso_account_deactivated.html": deactivated,
        "sso_error.html": signOnError,
        // Parts that pages made for Synapse include.
        "sso_partial_profile.html": profile,
        "sso_footer.html": "",
        "sso.css": #"{% include "style.css" %}"#,
        "sso_auth_account_details.js": accountDetailsScript,
    ]

    /// Client-Server API §Login Fallback: the client that has opened the page waits for `matrixLogin.onLogin`.
    private static let loginFallback = """
        {% extends "_base.html" %}
        {% block title %}Log in to {{ server_name }}{% endblock %}
        {% block body %}
        <h1>Log in to {{ server_name }}</h1>
        <p id="message" class="error" hidden></p>
        <form id="password" hidden>
        <label for="user">Name</label>
        <input type="text" id="user" autocomplete="username" autocapitalize="none" spellcheck="false" required>
        <label for="secret">Password</label>
        <input type="password" id="secret" autocomplete="current-password" required>
        <button type="submit">Log in</button>
        </form>
        <p id="single-sign-on" hidden><a id="link">Continue with single sign-on</a></p>
        <noscript><p>Your browser has to run scripts for this page.</p></noscript>
        <script nonce="{{ nonce }}">
        const path = "/_matrix/client/v3/login", parameters = new URLSearchParams(location.search);
        const element = (id) => document.getElementById(id);
        function say(text) { element("message").innerText = text; element("message").hidden = false; }
        async function logIn(submission) {
            for (const name of ["device_id", "initial_device_display_name"]) {
                if (parameters.get(name)) { submission[name] = parameters.get(name); }
            }
            const response = await fetch(path, {
                method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(submission)});
            const answer = await response.json();
            if (!response.ok) { return say(answer.error || "The login has failed."); }
            if (window.matrixLogin && window.matrixLogin.onLogin) { window.matrixLogin.onLogin(answer); }
            else if (window.onLogin) { window.onLogin(answer); }
            else { say("You are logged in, but this page was not opened by a client that could go on."); }
        }
        element("password").addEventListener("submit", (event) => {
            event.preventDefault();
            logIn({type: "m.login.password", identifier: {type: "m.id.user", user: element("user").value}, password: element("secret").value});
        });
        async function begin() {
            const token = parameters.get("loginToken");
            if (token) {
                parameters.delete("loginToken");
                history.replaceState(null, "", location.pathname + (parameters.size ? "?" + parameters : ""));
                return logIn({type: "m.login.token", token});
            }
            const types = (await (await fetch(path)).json()).flows.map((flow) => flow.type);
            element("password").hidden = !types.includes("m.login.password");
            element("single-sign-on").hidden = !types.includes("m.login.sso");
            element("link").href = path + "/sso/redirect?redirectUrl=" + encodeURIComponent(location.href.split("#")[0]);
        }
        begin().catch(() => say("The server does not answer."));
        </script>
        {% endblock %}
        """

    private static let picker = """
        {% extends "_base.html" %}
        {% block title %}Log in to {{ server_name }}{% endblock %}
        {% block body %}
        <h1>Log in to {{ server_name }}</h1>
        <p>With whom do you have an account?</p>
        <ul>
        {% for p in providers %}
        <li><a href="pick_idp?idp={{ p.idp_id | urlencode }}&amp;redirectUrl={{ redirect_url | urlencode }}">{{ p.idp_name }}</a></li>
        {% endfor %}
        </ul>
        {% endblock %}
        """

    private static let redirectConfirmation = """
        {% extends "_base.html" %}
        {% block title %}Continue to your account{% endblock %}
        {% block body %}
        <h1>{% if new_user %}Your account is ready{% else %}Continue to your account{% endif %}</h1>
        {% include "sso_partial_profile.html" %}
        <p>If you continue, <strong>{{ display_url }}</strong> gets access to your account.
        If you did not come from there, close this page.</p>
        <p><a href="{{ redirect_url }}">Continue</a></p>
        {% endblock %}
        """

    private static let profile = """
        <p>{% if user_profile.display_name %}{{ user_profile.display_name }}<br>{% endif %}<code>{{ user_id }}</code></p>
        """

    private static let operationConfirmation = """
        {% extends "_base.html" %}
        {% block title %}Confirm that it is you{% endblock %}
        {% block body %}
        <h1>Confirm that it is you</h1>
        <p>A client is trying to {{ description }}. If you did not expect this, close this page: somebody may have got into your account.</p>
        <p><a href="{{ redirect_url }}">Continue with {{ idp.idp_name }}</a></p>
        {% endblock %}
        """

    private static let badUser = """
        {% extends "_base.html" %}
        {% block title %}This was somebody else{% endblock %}
        {% block body %}
        <h1>This was somebody else</h1>
        <p class="error">The operation is about the account <code>{{ user_id_to_verify }}</code>, and the login was not of its owner.</p>
        <p>Try again with the right account.</p>
        {% endblock %}
        """

    private static let accountDetails = """
        {% extends "_base.html" %}
        {% block title %}Create your account{% endblock %}
        {% block body %}
        <h1>Create your account</h1>
        <p>Choose your name on {{ server_name }}. It cannot be changed later.</p>
        {% if error %}<p class="error">{{ error }}</p>{% endif %}
        <form method="post">
        <label for="username">Name: @…:{{ server_name }}</label>
        <input type="text" id="username" name="username" value="{{ user_attributes.localpart }}" pattern="[a-z0-9._=\\-\\/+]+"
          title="small letters a to z, digits, and . _ = - / +" autocapitalize="none" autocomplete="username" spellcheck="false" required
          autofocus>
        {% if user_attributes.display_name or user_attributes.avatar_url or user_attributes.emails %}
        <p>Taken over from {{ idp.idp_name }}:</p>
        {% if user_attributes.display_name %}
        <p><label><input type="checkbox" name="use_display_name" value="true" checked> {{ user_attributes.display_name }}</label></p>
        {% endif %}
        {% if user_attributes.avatar_url %}
        <p><label><input type="checkbox" name="use_avatar" value="true" checked> your picture</label></p>
        {% endif %}
        {% for email in user_attributes.emails %}
        <p><label><input type="checkbox" name="use_email" value="{{ email }}" checked> {{ email }}</label></p>
        {% endfor %}
        {% endif %}
        <button type="submit">Continue</button>
        </form>
        {% endblock %}
        """

    private static let terms = """
        {% extends "_base.html" %}
        {% block title %}Terms of {{ server_name }}{% endblock %}
        {% block body %}
        <h1>Your account is nearly ready</h1>
        {% include "sso_partial_profile.html" %}
        <form method="post">
        <p><label><input type="checkbox" name="accepted_version" value="{{ consent_version }}" required> I have read and agree to the
        <a href="{{ terms_url }}" target="_blank" rel="noopener">terms and conditions</a>.</label></p>
        <button type="submit">Continue</button>
        </form>
        {% endblock %}
        """

    private static let deactivated = """
        {% extends "_base.html" %}
        {% block title %}This account has ended{% endblock %}
        {% block body %}
        <h1>This account has ended</h1>
        <p>It was deactivated, and nobody can log in to it any more.</p>
        {% endblock %}
        """

    private static let signOnError = """
        {% extends "_base.html" %}
        {% block title %}You are not logged in{% endblock %}
        {% block body %}
        {% if error == "unauthorised" %}
        <h1>You are not allowed to log in here</h1>
        {% elif error == "provider_unavailable" %}
        <h1>This login provider is unavailable right now</h1>
        <p>Try again later, or log in another way. If it stays so, tell the administrator of {{ server_name }}, whose log says more.</p>
        {% else %}
        <h1>You are not logged in</h1>
        <p class="error">{{ error_description or error }}</p>
        <p>Try again from your client. If it stays so, tell the administrator of {{ server_name }}.</p>
        <p><small>Error code: {{ error }}</small></p>
        {% endif %}
        {% endblock %}
        """

    /// For pages made for Synapse, which have this script of its own: tells at once whether a name is taken.
    private static let accountDetailsScript = """
        document.addEventListener("DOMContentLoaded", function () {
            const field = document.getElementById("field-username"), output = document.getElementById("field-username-output");
            if (!field || !output) { return; }
            field.addEventListener("change", async function () {
                const answer = await fetch("check?username=" + encodeURIComponent(field.value));
                const body = await answer.json();
                output.innerText = body.error || (body.available ? "" : "This name is taken.");
            });
        });
        """
}
