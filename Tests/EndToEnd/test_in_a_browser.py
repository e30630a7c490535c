"""People at the pages of this server, in a real browser: logging in, registering where the client does not know how, a new password."""

import pytest
import pytest_asyncio

from chromium import PROGRAM, Chromium
from homeserver import OUT_OF_THE_WAY, Client
from identity_server import IdentityServer
from loopback import CaptchaService
from mailsink import Mailbox, link
from openid_provider import Provider
from test_email import add, begin, creds, log_in, press
from test_registration import TOKENS, V3, auth, refused, with_terms

ACCOUNT_PAGE = "/_matrix/static/client/login/?device_id="


@pytest_asyncio.fixture
async def browser(tmp_path):
    if not PROGRAM:
        pytest.fail("there is no Chromium: run Scripts/test, which installs it")
    async with Chromium(tmp_path / "chromium") as browser:
        yield browser
        # What scripts complain of, and what breaks a page's own policy.
        assert not browser.complaints, browser.complaints


async def test_a_login_with_a_password(started, browser):
    server = await started()
    await (await server.register("bob", "a password")).close()
    await browser.open(server.base + ACCOUNT_PAGE + "BROWSER",
                       "document.getElementById('password') && !document.getElementById('password').hidden")
    await browser.picture("login")
    await browser.evaluate("user.value = 'bob'; secret.value = 'a password'; document.querySelector('#password button').click()")
    answer = await browser.until("window.answered")
    assert answer["user_id"] == "@bob:test.example" and answer["device_id"] == "BROWSER", answer


async def test_a_login_by_single_sign_on(started, browser):
    async with Provider() as provider:
        mapping = {"display_name_template": "{{ user.name }}", "email_template": "{{ user.email }}"}
        server = await started(oidc_providers=[provider.options(user_mapping_provider={"config": mapping})])
        provider.user["name"] = "<b>Alice</b>"
        await browser.open(server.base + ACCOUNT_PAGE + "SIGNED",
                           "document.getElementById('link') && document.getElementById('link').href.includes('redirectUrl')")
        await browser.evaluate("document.getElementById('link').click()")
        await browser.until("location.pathname.endsWith('/account_details') && document.forms.length")
        await browser.picture("account-details")
        assert "<b>Alice</b>" in await browser.evaluate("document.body.innerText")
        await browser.evaluate("username.value = 'alice'; document.querySelector('button').click()")
        answer = await browser.until("window.answered")
        assert answer["user_id"] == "@alice:test.example" and answer["device_id"] == "SIGNED", answer
        assert "loginToken" not in await browser.evaluate("location.href")


PRESS = "document.querySelector('form [type=submit], form button').click()"


async def stage(browser, server, name, session, fill, then="window.authenticated"):
    """Opens the page of a stage and does there what a person would."""
    await browser.open(f"{server.base}{V3}/auth/{name}/fallback/web?session={session}", "document.forms.length")
    await browser.picture(name.replace(".", "-"))
    await browser.evaluate(fill)
    await browser.until(then)


async def test_registering_on_pages(started, browser):
    server = await started(registration_requires_token=True)
    admin, anonymous = await server.register("admin", admin=True), Client(server)
    await admin.post(TOKENS + "/new", {"token": "friends"})
    session = (await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))).body["session"]
    await stage(browser, server, "m.login.registration_token", session, f"document.querySelector('[name=token]').value = 'guess'; {PRESS}",
                then="document.body.innerText.includes('Invalid registration token')")
    await browser.evaluate(f"document.querySelector('[name=token]').value = 'friends'; {PRESS}")
    await browser.until("window.authenticated")
    await stage(browser, server, "m.login.dummy", session, PRESS)
    assert (await anonymous.post(V3 + "/register", {"auth": {"session": session}}))["user_id"] == "@alice:test.example"
    for client in (admin, anonymous):
        await client.close()


# What the captcha's script does, as far as our page sees it: it puts a riddle into its place, and reports the answer.
CAPTCHA = "https://www.recaptcha.net/recaptcha/api.js"
CAPTCHA_SCRIPT = """addEventListener("load", () => {
    const place = document.querySelector(".g-recaptcha");
    const answer = place.appendChild(document.createElement("textarea")), button = place.appendChild(document.createElement("button"));
    answer.name = "g-recaptcha-response"; button.type = "button"; button.textContent = "I am a person (" + place.dataset.sitekey + ")";
    button.onclick = () => window[place.dataset.callback](answer.value);
});"""


async def test_solving_a_riddle_on_a_page(started, browser):
    await browser.stand_in(CAPTCHA, CAPTCHA_SCRIPT)
    async with CaptchaService() as service:
        server = await started(**service.options())
        anonymous = Client(server)
        session = (await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))).body["session"]
        riddle = "document.querySelector('[name=g-recaptcha-response]')"
        await browser.open(f"{server.base}{V3}/auth/m.login.recaptcha/fallback/web?session={session}", f"!!{riddle}")
        assert "I am a person (public)" in await browser.evaluate("document.body.innerText")
        await browser.picture("m-login-recaptcha")
        answer = f"{riddle}.value = '%s'; document.querySelector('.g-recaptcha button').click()"
        await browser.evaluate(answer % "wrong")
        await browser.until(f"document.body.innerText.includes('Invalid captcha') && !!{riddle}")
        await browser.picture("m-login-recaptcha-wrong")
        await browser.evaluate(answer % "right")
        await browser.until("window.authenticated")
        assert [(asked["secret"], asked["response"]) for asked in service.asked] == [("private", "wrong"), ("private", "right")]
        assert (await anonymous.post(V3 + "/register", auth("m.login.dummy", session)))["user_id"] == "@alice:test.example"
        await anonymous.close()


async def test_agreeing_on_a_page(started, tmp_path, browser):
    server = await with_terms(started, tmp_path, require_at_registration=True, policy_name="House rules",
                              block_events_error="You have to agree: %(consent_uri)s")
    anonymous = Client(server)
    session = (await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))).body["session"]
    await stage(browser, server, "m.login.terms", session, PRESS)
    answer = await anonymous.post(V3 + "/register", auth("m.login.dummy", session))
    assert answer["user_id"] == "@alice:test.example"
    await anonymous.close()


async def test_showing_an_address_on_a_page(started, browser):
    mailbox = await Mailbox().start()
    server = await started(email=mailbox.section(), rc_3pid_validation=OUT_OF_THE_WAY, registrations_require_3pid=["email"])
    anonymous = Client(server)
    session = (await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))).body["session"]
    await stage(browser, server, "m.login.email.identity", session, f"email.value = 'alice@example.org'; {PRESS}",
                then="!!document.querySelector('[name=sid]')")
    await browser.picture("m-login-email-identity-sent")
    await browser.evaluate(PRESS)
    await browser.until("document.body.innerText.includes('Unable to get validated threepid') && !!document.querySelector('[name=sid]')")
    assert await press(anonymous, await mailbox.next()) == 200
    await browser.evaluate(PRESS)
    await browser.until("window.authenticated")
    assert (await anonymous.post(V3 + "/register", {"auth": {"session": session}}))["user_id"] == "@alice:test.example"
    await anonymous.close()
    await mailbox.stop()


async def test_showing_a_number_on_a_page(started, browser):
    async with IdentityServer() as identity:
        server = await started(**identity.options(), rc_3pid_validation=OUT_OF_THE_WAY, registrations_require_3pid=["msisdn"])
        anonymous = Client(server)
        session = (await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))).body["session"]
        await stage(browser, server, "m.login.msisdn", session, f"phone.value = '+44 7700 900001'; {PRESS}", then="!!document.querySelector('[name=code]')")
        await browser.picture("m-login-msisdn-sent")
        await browser.evaluate(f"code.value = 'guess'; {PRESS}")
        await browser.until("document.body.innerText.includes('That is not the code') && !!document.querySelector('[name=code]')")
        await browser.evaluate(f"code.value = '{identity.codes['447700900001']}'; {PRESS}")
        await browser.until("window.authenticated")
        assert (await anonymous.post(V3 + "/register", {"auth": {"session": session}}))["user_id"] == "@alice:test.example"
        await anonymous.close()


async def test_showing_who_one_is_on_pages(started, browser):
    async with Provider() as provider:
        server = await started(oidc_providers=[provider.options(allow_existing_users=True)])
        alice = await server.register("alice")

        async def challenged():
            login = {"type": "m.login.password", "user": "alice", "password": alice.password}
            path = f"{V3}/devices/{(await alice.post(V3 + '/login', login))['device_id']}"
            return path, (await refused(alice.call("DELETE", path))).body

        path, challenge = await challenged()
        await stage(browser, server, "m.login.password", challenge["session"], f"password.value = 'guess'; {PRESS}",
                    then="document.body.innerText.includes('Invalid username or password')")
        await browser.evaluate(f"password.value = '{alice.password}'; {PRESS}")
        await browser.until("window.authenticated")
        await alice.call("DELETE", path, {"auth": {"session": challenge["session"]}})

        # The account is the provider's as well, once its owner has come by it.
        await browser.open(f"{server.base}{V3}/login/sso/redirect?redirectUrl=https://client.example/", "document.links.length")
        await browser.picture("sso-redirect-confirm")
        path, challenge = await challenged()
        assert challenge["flows"] == [{"stages": ["m.login.password"]}, {"stages": ["m.login.sso"]}]
        await browser.open(f"{server.base}{V3}/auth/m.login.sso/fallback/web?session={challenge['session']}", "document.links.length")
        await browser.picture("m-login-sso")
        await browser.evaluate("document.links[0].click()")
        await browser.until("window.authenticated")
        await alice.call("DELETE", path, {"auth": {"session": challenge["session"]}})
        await alice.close()


async def test_a_new_password_by_mail(started, browser):
    mailbox = await Mailbox().start()
    server = await started(email=mailbox.section(), rc_3pid_validation=OUT_OF_THE_WAY)
    alice, anonymous = await server.register("alice"), Client(server)
    await add(alice, mailbox, "alice@example.org")
    sid = await begin(anonymous, "account/password", "alice@example.org", "reset")
    await browser.open(link(await mailbox.next()), "document.forms.length")
    await browser.picture("password-reset")
    await browser.evaluate(PRESS)
    await browser.until("!document.forms.length && document.body.innerText.trim()")
    await browser.picture("password-reset-done")
    await anonymous.post(V3 + "/account/password", {
        "new_password": "a new secret", **auth("m.login.email.identity", **creds(sid, "reset"))})
    assert (await log_in(server, "alice@example.org", "a new secret"))["user_id"] == alice.user
    for client in (alice, anonymous):
        await client.close()
    await mailbox.stop()
