"""Logins by single sign-on, as a browser goes through them: a real provider of OpenID Connect, one that does as the test wants, and CAS."""

import asyncio
import json
import os
import re
from contextlib import contextmanager
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import pytest_asyncio
import requests
from aiohttp import web

from browser import Browser
from homeserver import Client, MatrixFailure
from loopback import Loopback
from openid_provider import Key, Provider

V3 = "/_matrix/client/v3"
CLIENT = "https://client.example/welcome?theme=dark"


async def refused(awaitable):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    return failure.value


@pytest_asyncio.fixture
async def browser():
    async with Browser() as browser:
        yield browser


def redirect(server, provider=None, client=CLIENT, **query):
    path = f"{V3}/login/sso/redirect" + (f"/{provider}" if provider else "")
    return f"{server.base}{path}?redirectUrl={quote(client, safe='')}" + "".join(f"&{k}={quote(v)}" for k, v in query.items())


async def log_in(server, address):
    """Logs in with the token that a browser brings to the client -> a Client."""
    assert address.startswith(CLIENT + "&loginToken=")
    token = parse_qs(urlsplit(address).query)["loginToken"][0]
    client = Client(server)
    answer = await client.post(V3 + "/login", {"type": "m.login.token", "token": token})
    client.token, client.user, client.device = answer["access_token"], answer["user_id"], answer["device_id"]
    client.login = answer
    return client


def assert_page_is_safe(page):
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
    assert page.headers["X-Frame-Options"] == "DENY" and "no-store" in page.headers["Cache-Control"]
    assert page.headers["Referrer-Policy"] == "no-referrer"


def assert_no_secrets(server, *secrets):
    log = (server.folder / "output.log").read_text(errors="replace")
    for secret in secrets:
        assert secret not in log
    assert not re.search(r"(loginToken|code|state|ticket|session)=(?!<redacted>)[^& ]", log), log


# A real provider


@contextmanager
def real_provider():
    """An authorization server made of Authlib -> its address."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    import oidc_provider_mock

    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


async def test_a_real_provider(configured, browser):
    with real_provider() as issuer:
        await asyncio.to_thread(requests.put, f"{issuer}/users/wonder-1", json={
            "preferred_username": "Alice", "name": "Alice <Liddell>", "email": "alice@x.example"})
        server = await configured(oidc_providers=[{
            "idp_id": "wonderland", "idp_name": "Wonderland & Sons", "issuer": issuer, "client_id": "martlet",
            "client_secret": "not a secret", "skip_verification": True, "scopes": ["openid", "profile", "email"],
            "user_mapping_provider": {"config": {
                "localpart_template": "{{ user.preferred_username|lower }}", "display_name_template": "{{ user.name }}",
                "extra_attributes": {"mail": "{{ user.email.split('@')[1] }}"}}}}])
        anonymous = Client(server)
        flows = {flow["type"]: flow for flow in (await anonymous.get(V3 + "/login"))["flows"]}
        assert flows["m.login.sso"]["identity_providers"] == [{"id": "oidc-wonderland", "name": "Wonderland & Sons"}]
        assert flows["m.login.token"] == {"type": "m.login.token"}

        form = await browser.get(redirect(server))
        assert form.url.startswith(issuer + "/oauth2/authorize")
        page = await browser.submit(form, sub="wonder-1")
        assert_page_is_safe(page)
        assert "client.example" in page.text and "@alice:test.example" in page.text and "Alice <Liddell>" in page.text
        alice = await log_in(server, page.link("Continue"))
        assert alice.user == "@alice:test.example" and alice.login["mail"] == "x.example"
        assert (await alice.get(f"{V3}/profile/{alice.user}"))["displayname"] == "Alice <Liddell>"

        # The provider's page asks again; the account is the same, in the middle of which the server may have been restarted.
        form = await browser.get(redirect(server, "oidc-wonderland"))
        await server.kill()
        await server.start()
        again = await log_in(server, (await browser.submit(form, sub="wonder-1")).link("Continue"))
        assert again.user == alice.user and again.device != alice.device

        # Who says no at the provider is told so, and nothing else happens.
        form = await browser.get(redirect(server))
        denied = await browser.go("POST", form.url, data={"action": "deny"})
        assert denied.status == 400 and "access_denied" in denied.text
        assert_no_secrets(server, "alice@x.example")
        for client in (anonymous, alice, again):
            await client.close()


# A provider that does as the test wants


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_what_a_login_consists_of(configured, browser, algorithm):
    async with Provider(algorithm) as provider:
        server = await configured(
            oidc_providers=[provider.options(additional_authorization_parameters={"acr_values": "2fa"},
                                             passthrough_authorization_parameters=["login_hint"])],
            sso={"client_whitelist": ["https://client.example/"]})
        page = await browser.get(redirect(server, login_hint="al", other="x"))
        alice = await log_in(server, page.url)
        assert alice.user == "@alice:test.example"
        asked = provider.requests[0]
        assert asked["scope"] == "openid profile" and asked["acr_values"] == "2fa" and asked["login_hint"] == "al" and "other" not in asked
        assert asked["redirect_uri"] == server.base + "/_synapse/client/oidc/callback"
        assert asked["code_challenge_method"] == "S256" and min(len(asked[k]) for k in ("state", "nonce", "code_challenge")) >= 43
        _, form, authorization = next(a for a in provider.asked if a[0] == "token")
        assert authorization.startswith("Basic ") and "client_secret" not in form and form["code_verifier"]
        assert_no_secrets(server, form["code"], form["code_verifier"], provider.client_secret, asked["nonce"])
        await alice.close()


async def test_the_profile_of_an_endpoint(configured, browser):
    async with Provider() as provider:
        server = await configured(
            oidc_providers=[provider.options(
                scopes=["read:user"], client_auth_method="client_secret_post", pkce_method="never",
                user_mapping_provider={"config": {"subject_template": "{{ user.id }}", "localpart_template": "{{ user.login }}"}})],
            sso={"client_whitelist": ["https://client.example/"]})
        provider.user = {"id": 4711, "login": "octo-cat"}
        cat = await log_in(server, (await browser.get(redirect(server))).url)
        assert cat.user == "@octo-cat:test.example"
        _, form, authorization = next(a for a in provider.asked if a[0] == "token")
        assert authorization is None and form["client_secret"] == provider.client_secret and "code_verifier" not in form
        # A signed profile is checked, one of somebody who cannot be told apart is none.
        provider.user_info = lambda claims: web.Response(text=provider.key.sign(claims), content_type="application/jwt")
        await (await log_in(server, (await browser.get(redirect(server))).url)).close()
        provider.user_info = lambda claims: web.Response(text=Key().sign(claims), content_type="application/jwt")
        assert "bad_signature" in (await browser.get(redirect(server))).text
        provider.user_info = lambda claims: web.json_response({"login": "nobody"})
        assert "does not say who" in (await browser.get(redirect(server))).text
        provider.user_info = lambda claims: web.json_response({}, status=500)
        assert "fetch_error" in (await browser.get(redirect(server))).text
        await cat.close()


async def test_answers_that_are_not_believed(configured, browser):
    async with Provider() as provider:
        server = await configured(oidc_providers=[provider.options()], sso={"client_whitelist": ["https://client.example/"]})
        stranger = Key()

        def without(name):
            return lambda claims: {k: v for k, v in claims.items() if k != name}

        def but(**changes):
            return lambda claims: {**claims, **changes}

        cases = [
            (but(iss="https://evil.example"), None, "invalid_claim: Invalid claim 'iss'"),
            (but(aud="another"), None, "invalid_claim: Invalid claim 'aud'"),
            (but(aud=["martlet", "another"]), None, "missing_claim: Missing 'azp' claim"),
            (but(azp="another"), None, "invalid_claim: Invalid claim 'azp'"),
            (but(nonce="another"), None, "invalid_claim: Invalid claim 'nonce'"),
            (without("nonce"), None, "missing_claim: Missing 'nonce' claim"),
            (without("exp"), None, "missing_claim: Missing 'exp' claim"),
            (but(exp=1000), None, "expired_token: The token is expired"),
            (without("sub"), None, "missing_claim: Missing 'sub' claim"),
            (None, lambda token: stranger.sign({"sub": "x"}), "bad_signature"),
            (None, lambda token: token[:-8] + "AAAAAAAA", "bad_signature"),
            (None, lambda token: "eyJhbGciOiJub25lIn0." + token.split(".")[1] + ".", "unsupported_algorithm"),
            (None, lambda token: "nonsense", "decode_error"),
        ]
        for claims, token, said in cases:
            provider.change_claims = claims or (lambda c: c)
            provider.change_token = token or (lambda t: t)
            page = await browser.get(redirect(server))
            assert page.status == 400 and said in page.text, (said, page.text)
            assert_page_is_safe(page)
        # Made-up keys do not make the server ask for the real ones each time.
        assert provider.asked.count("keys") <= 2
        provider.change_claims, provider.change_token = (lambda c: c), (lambda t: t)
        await (await log_in(server, (await browser.get(redirect(server))).url)).close()
        assert "a login by OpenID Connect has failed" in server.log()


async def test_keys_that_have_changed(configured, browser, monkeypatch):
    async with Provider() as provider:
        server = await configured(oidc_providers=[provider.options()], sso={"client_whitelist": ["https://client.example/"]})
        await (await log_in(server, (await browser.get(redirect(server))).url)).close()
        provider.key = Key()
        provider.keys.append(provider.key)
        await asyncio.sleep(10.1)  # the pause between two looks at the keys
        await (await log_in(server, (await browser.get(redirect(server))).url)).close()


async def test_callbacks_that_belong_to_nobody(configured, browser):
    async with Provider() as provider:
        server = await configured(oidc_providers=[provider.options()])
        callback = server.base + "/_synapse/client/oidc/callback"
        assert "missing_session" in (await browser.get(callback + "?code=x&state=y")).text

        # Somebody's answer in somebody else's browser: the victim would be logged in as the attacker.
        async with Browser() as attacker:
            async with attacker.session.get(redirect(server), allow_redirects=False) as answer:
                location = answer.headers["Location"]
                cookie = answer.headers["Set-Cookie"]
            assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/_synapse/client/oidc" in cookie
            async with attacker.session.get(location, allow_redirects=False) as answer:
                foreign = answer.headers["Location"]
        async with browser.session.get(redirect(server), allow_redirects=False):
            pass
        page = await browser.get(foreign)
        assert page.status == 400 and "mismatching_session" in page.text
        # The browser has forgotten its session then.
        assert "missing_session" in (await browser.get(foreign)).text
        async with browser.session.get(callback + "?code=x&state=y", headers={"Cookie": "oidc_session=AAAA"}) as answer:
            assert answer.status == 400 and "invalid_session" in await answer.text()
        # What a provider says of an error is shown, and is not run.
        page = await browser.get(callback + "?error=x&error_description=" + quote("<script>alert(1)</script>"))
        assert "<script>alert" not in page.source and "<script>alert(1)</script>" in page.text
        # A code is good once.
        async with browser.session.get(redirect(server), allow_redirects=False) as answer:
            location = answer.headers["Location"]
        async with browser.session.get(location, allow_redirects=False) as answer:
            back = answer.headers["Location"]
        provider.codes.clear()
        assert "the code is not known" in (await browser.get(back)).text


async def test_what_leads_nowhere(configured, browser):
    async with Provider() as provider:
        server = await configured(oidc_providers=[provider.options()])
        anonymous = Client(server)
        for address in ("javascript:alert(1)", "data:text/html,x", "/relative", "https:evil.example", "https://a/\r\nSet-Cookie:b"):
            failure = await refused(anonymous.get(f"{V3}/login/sso/redirect?redirectUrl={quote(address, safe='')}"))
            assert failure.status == 400 and failure.errcode == "M_INVALID_PARAM"
        assert (await refused(anonymous.get(V3 + "/login/sso/redirect"))).errcode == "M_MISSING_PARAM"
        assert (await refused(anonymous.get(f"{V3}/login/sso/redirect/oidc-none?redirectUrl=https://a.example"))).status == 404
        # The cookie is set where the provider sends the browser back to.
        path = f"{V3}/login/sso/redirect?redirectUrl=a:b"
        async with browser.session.get(server.base + path, headers={"Host": "localhost:1"}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, server.base + path)
        await anonymous.close()


async def test_a_provider_that_is_away(configured, browser):
    server = await configured(oidc_providers=[{
        "idp_id": "gone", "idp_name": "Gone", "issuer": "http://127.0.0.1:1", "client_id": "x", "skip_verification": True}])
    page = await browser.get(redirect(server))
    assert page.status == 503 and "unavailable" in page.text
    assert "a provider of single sign-on cannot be used" in server.log()


async def test_who_may_come_in(configured, browser):
    async with Provider() as provider:
        server = await configured(
            oidc_providers=[provider.options(enable_registration=False, allow_existing_users=True,
                                             attribute_requirements=[{"attribute": "groups", "one_of": ["staff", "friends"]}])],
            sso={"client_whitelist": ["https://client.example/"], "update_profile_information": True})
        await (await server.register("alice")).close()
        assert "not allowed to log in" in (await browser.get(redirect(server))).text
        provider.user["groups"] = ["friends"]
        alice = await log_in(server, (await browser.get(redirect(server))).url)
        assert alice.user == "@alice:test.example"
        assert (await alice.get(f"{V3}/profile/{alice.user}"))["displayname"] == "Alice Liddell"
        provider.user = {"sub": "other", "preferred_username": "bob", "groups": ["staff"]}
        assert "registrations are disabled" in (await browser.get(redirect(server))).text
        await alice.close()


async def test_choosing_a_name(configured, browser, tmp_path):
    async with Provider() as provider:
        mapping = {"display_name_template": "{{ user.name }}", "email_template": "{{ user.email }}"}
        (tmp_path / "irc.yaml").write_text(json.dumps({
            "id": "irc", "url": None, "as_token": "irc's token", "hs_token": "x", "sender_localpart": "irc",
            "namespaces": {"users": [{"regex": "@irc_", "exclusive": True}]}}))
        server = await configured(oidc_providers=[provider.options(user_mapping_provider={"config": mapping})],
                                  app_service_config_files=[str(tmp_path / "irc.yaml")])
        await (await server.register("taken")).close()
        provider.user["name"] = '"><script>alert(1)</script>'
        page = await browser.get(redirect(server))
        assert page.url.endswith("/pick_username/account_details")
        assert_page_is_safe(page)
        assert "<script>" not in page.source and provider.user["name"] in page.text
        check = server.base + "/_synapse/client/pick_username/check?username="
        async with browser.session.get(check + "taken") as answer:
            assert await answer.json() == {"available": False}
        anonymous = Client(server)
        assert (await refused(anonymous.get("/_synapse/client/pick_username/check?username=taken"))).status == 400

        assert "reserved by an application service" in (await browser.submit(page, username="irc_bridge")).text
        again = await browser.submit(page, username="taken")
        assert "This name is taken." in again.text
        await server.kill()
        await server.start()
        done = await browser.submit(again, without=["use_display_name"], username="dormouse")
        assert "Your account is ready" in done.text
        mouse = await log_in(server, done.link("Continue"))
        assert mouse.user == "@dormouse:test.example"
        assert (await mouse.get(f"{V3}/profile/{mouse.user}"))["displayname"] == "dormouse"
        # The way there is closed behind them.
        assert "bad_session" in (await browser.get(page.url)).text
        assert_no_secrets(server, "alice@x.example")
        for client in (anonymous, mouse):
            await client.close()


class Pictures(Loopback):
    """Where the provider says that people's pictures are."""

    def __init__(self):
        self.picture, self.type, self.asked = PICTURE, "image/png", 0

    def routes(self):
        return [web.get("/me", self.show)]

    async def show(self, request):
        self.asked += 1
        return web.Response(body=self.picture, content_type=self.type)


# One white point.
PICTURE = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63f80f00010101001bb66eec0000000049454e44ae426082")


@pytest.mark.parametrize("picks", [False, True], ids=["at once", "on the page about the account"])
async def test_the_picture_of_a_person(configured, browser, picks):
    async with Provider() as provider, Pictures() as pictures:
        provider.user["picture"] = pictures.base + "/me"
        mapping = {} if picks else {"localpart_template": "{{ user.preferred_username }}"}
        server = await configured(
            oidc_providers=[provider.options(user_mapping_provider={"config": mapping})], sso={"update_profile_information": True},
            ip_range_whitelist=["127.0.0.0/8"])
        page = await browser.get(redirect(server))
        if picks:
            assert "your picture" in page.text
            page = await browser.submit(page, username="alice")
        alice = await log_in(server, page.link("Continue"))
        path = f"{V3}/profile/{alice.user}/avatar_url"
        first = (await alice.get(path))["avatar_url"]
        assert first.startswith("mxc://test.example/")
        status, headers, content = await alice.raw("GET", "/_matrix/client/v1/media/download/" + first.removeprefix("mxc://"))
        assert (status, content, headers["Content-Type"]) == (200, PICTURE, "image/png")

        async def again():
            await (await log_in(server, (await browser.get(redirect(server))).link("Continue"))).close()
            return (await alice.get(path))["avatar_url"]

        # The same picture stays, another one is taken over, and what is no picture, or is not there, changes nothing.
        assert await again() == first and pictures.asked == 2
        pictures.picture += b"more"
        second = await again()
        assert second != first
        pictures.type = "text/html"
        assert await again() == second
        provider.user["picture"] = "http://127.0.0.1:1/nobody"
        assert await again() == second
        await alice.close()
        if not picks:
            return
        # Who does not want it has none; and where such addresses are not asked, nobody has.
        provider.user.update(sub="bob-1", picture=pictures.base + "/me")
        pictures.type = "image/png"
        page = await browser.submit(await browser.get(redirect(server)), without=["use_avatar"], username="bob")
        bob = await log_in(server, page.link("Continue"))
        assert "avatar_url" not in await bob.get(f"{V3}/profile/{bob.user}")
        await bob.close()
        await server.stop()
        asked = pictures.asked
        server.write_config(oidc_providers=[provider.options(user_mapping_provider={"config": mapping})])
        await server.start()
        provider.user["sub"] = "carol-1"
        page = await browser.submit(await browser.get(redirect(server)), username="carol")
        carol = await log_in(server, page.link("Continue"))
        assert "avatar_url" not in await carol.get(f"{V3}/profile/{carol.user}") and pictures.asked == asked
        await carol.close()


async def test_agreeing_to_the_terms(configured, browser, tmp_path):
    folder = tmp_path / "terms" / "en"
    folder.mkdir(parents=True)
    (folder / "2.0.html").write_text("Be nice.")
    async with Provider() as provider:
        provider.user["email"] = "Alice@X.example"
        mapping = {"localpart_template": "{{ user.preferred_username }}", "email_template": "{{ user.email }}"}
        server = await configured(
            oidc_providers=[provider.options(user_mapping_provider={"config": mapping})], form_secret="a secret",
            user_consent={"version": "2.0", "template_dir": str(folder.parent), "require_at_registration": True,
                          "block_events_error": "Not without agreeing."})
        page = await browser.get(redirect(server))
        assert page.url.endswith("/_synapse/client/new_user_consent")
        assert_page_is_safe(page)
        assert "@alice:test.example" in page.text and page.link("terms") == "/_matrix/consent?v=2.0"
        # Without the box ticked, or past the page, there is no account.
        assert "bad_param" in (await browser.submit(page)).text
        assert (await browser.get(server.base + "/_synapse/client/sso_register")).url == page.url
        done = await browser.submit(page, accepted_version="2.0")
        alice = await log_in(server, done.link("Continue"))
        await alice.create_room()
        assert [row["address"] for row in (await alice.get(V3 + "/account/3pid"))["threepids"]] == ["alice@x.example"]
        await alice.close()


async def test_picking_a_provider(configured, browser):
    async with Provider() as one, Provider() as two:
        server = await configured(oidc_providers=[one.options(), two.options(idp_id="second", idp_name="The <Second>")],
                                  sso={"client_whitelist": ["https://client.example/"]})
        two.user["preferred_username"] = "second"
        page = await browser.get(redirect(server))
        assert_page_is_safe(page)
        assert "The Test" in page.text and "The <Second>" in page.text
        client = await log_in(server, (await browser.follow(page, "The <Second>")).url)
        assert client.user == "@second:test.example" and not one.requests
        unknown = await browser.get(page.url.replace("pick_idp?", "pick_idp?idp=evil&"))
        assert unknown.status == 400 and "unknown_idp" in unknown.text
        await client.close()


async def test_confirming_an_operation(configured, browser):
    async with Provider() as provider:
        server = await configured(oidc_providers=[provider.options()], sso={"client_whitelist": ["https://client.example/"]})
        alice = await log_in(server, (await browser.get(redirect(server))).url)
        other = await log_in(server, (await browser.get(redirect(server))).url)
        path = f"{V3}/devices/{other.device}"
        challenge = await refused(alice.call("DELETE", path))
        # She has no password: there is one way only.
        assert challenge.status == 401 and challenge.body["flows"] == [{"stages": ["m.login.sso"]}]
        session = challenge.body["session"]
        assert (await refused(alice.call("DELETE", path, {"auth": {"session": session}}))).status == 401

        page = await browser.get(f"{server.base}{V3}/auth/m.login.sso/fallback/web?session={session}")
        assert_page_is_safe(page)
        assert "remove a device" in page.text
        # Somebody else's proof is none, and the operation fails by it.
        provider.user = {"sub": "mallory", "preferred_username": "mallory"}
        wrong = await browser.get(page.link("Continue with"))
        assert "somebody else" in wrong.text
        assert (await refused(alice.call("DELETE", path, {"auth": {"session": session}}))).status == 403

        challenge = await refused(alice.call("DELETE", path))
        session = challenge.body["session"]
        page = await browser.get(f"{server.base}{V3}/auth/m.login.sso/fallback/web?session={session}")
        provider.user = {"sub": "alice-0815"}
        done = await browser.get(page.link("Continue with"))
        assert "close this window" in done.text and "onAuthDone" in done.source
        await alice.call("DELETE", path, {"auth": {"session": session}})
        assert (await refused(other.get(V3 + "/account/whoami"))).errcode == "M_UNKNOWN_TOKEN"
        unknown = await browser.get(f"{server.base}{V3}/auth/m.login.sso/fallback/web?session=unknown")
        assert unknown.status == 400
        for client in (alice, other):
            await client.close()


async def test_the_page_for_clients_that_cannot(configured, browser):
    """The page runs scripts: here only what it offers them."""
    async with Provider() as provider:
        server = await configured(oidc_providers=[provider.options()])
        page = await browser.get(server.base + "/_matrix/static/client/login/?device_id=ABC")
        assert page.status == 200 and "matrixLogin.onLogin" in page.source
        policy = page.headers["Content-Security-Policy"]
        assert "connect-src 'self'" in policy and "default-src 'none'" in policy
        # It is ours, and gets its token without another question.
        back = await browser.get(redirect(server, client=page.url))
        assert back.url.startswith(page.url + "&loginToken=")


async def test_back_channel_logout(configured, browser):
    async with Provider() as provider:
        server = await configured(oidc_providers=[provider.options(backchannel_logout_enabled=True)],
                                  sso={"client_whitelist": ["https://client.example/"]})
        first = await log_in(server, (await browser.get(redirect(server))).url)
        provider.session = "session-2"
        second = await log_in(server, (await browser.get(redirect(server))).url)
        anonymous = Client(server)

        async def logout(token, status=200):
            answer = await anonymous.raw("POST", "/_synapse/client/oidc/backchannel_logout", data={"logout_token": token})
            assert answer[0] == status, answer[2]
            return answer[2].decode()

        for changes in ({"iss": "https://evil.example"}, {"aud": "another"}, {"sid": None}, {"events": {}}, {"nonce": "x"}, {"iat": None}):
            await logout(provider.logout_token(**changes), 400)
        await logout(provider.logout_token(key=Key()), 400)
        await logout("nonsense", 400)
        await second.get(V3 + "/account/whoami")
        # A session that belongs to somebody else here stays.
        bob = {**provider.user}
        provider.user = {"sub": "bob-1", "preferred_username": "bob"}
        provider.session = "session-3"
        bobs = await log_in(server, (await browser.get(redirect(server))).url)
        await logout(provider.logout_token(sid="session-2"))
        await second.get(V3 + "/account/whoami")
        provider.user = bob
        await logout(provider.logout_token(sid="session-2"))
        assert (await refused(second.get(V3 + "/account/whoami"))).errcode == "M_UNKNOWN_TOKEN"
        await first.get(V3 + "/account/whoami")
        await bobs.get(V3 + "/account/whoami")
        for client in (first, second, bobs, anonymous):
            await client.close()


async def test_pages_of_the_operators_own(configured, browser, tmp_path):
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "sso_redirect_confirm.html").write_text(
        '{% extends "_base.html" %}{% block body %}<p>Hello {{ user_profile.display_name or user_id }} of {{ server_name }}</p>'
        '{% include "sso_footer.html" without context %}<a href="{{ redirect_url }}">On</a>{% endblock %}')
    (pages / "sso_footer.html").write_text("<footer>ours & theirs</footer>")
    async with Provider() as provider:
        provider.user["name"] = "Alice & Co"
        server = await configured(oidc_providers=[provider.options()], sso={"template_dir": str(pages)})
        page = await browser.get(redirect(server))
        assert "Hello Alice & Co of test.example" in page.text and "ours & theirs" in page.source and "Alice &amp; Co" in page.source
        await (await log_in(server, page.link("On"))).close()


# CAS


class CAS(Loopback):
    """A CAS server: whoever comes gets a ticket."""

    def __init__(self):
        self.user, self.attributes, self.asked, self.answer = "cas_user!", "", [], None

    def routes(self):
        return [web.get("/cas/login", self.login), web.get("/cas/proxyValidate", self.validate), web.get("/cas/p3/proxyValidate", self.validate)]

    @property
    def url(self):
        return self.base + "/cas"

    async def login(self, request):
        self.service = request.query["service"]
        raise web.HTTPFound(self.service + "&ticket=ST-golden")

    async def validate(self, request):
        self.asked.append((request.path, dict(request.query)))
        if self.answer:
            return self.answer
        if request.query != {"ticket": "ST-golden", "service": self.service}:
            return web.Response(text="<r:serviceResponse xmlns:r='x'><r:authenticationFailure/></r:serviceResponse>")
        return web.Response(text=f"""<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>
            <cas:user>{self.user}</cas:user><cas:attributes>{self.attributes}</cas:attributes>
            </cas:authenticationSuccess></cas:serviceResponse>""")


async def test_cas(configured, browser):
    async with CAS() as cas:
        server = await configured(
            cas_config={"enabled": True, "server_url": cas.url, "displayname_attribute": "name", "protocol_version": 3,
                        "required_attributes": {"group": "staff"}},
            sso={"client_whitelist": ["https://client.example/"]})
        anonymous = Client(server)
        flows = [flow["type"] for flow in (await anonymous.get(V3 + "/login"))["flows"]]
        assert {"m.login.cas", "m.login.sso", "m.login.token"} <= set(flows)
        assert "not allowed" in (await browser.get(redirect(server))).text
        cas.attributes = "<cas:group>staff</cas:group><cas:name>The &amp; User</cas:name>"
        user = await log_in(server, (await browser.get(redirect(server))).url)
        assert user.user == "@cas_user=21:test.example"
        assert (await user.get(f"{V3}/profile/{user.user}"))["displayname"] == "The & User"
        assert cas.asked[0][0] == "/cas/p3/proxyValidate"
        assert cas.service.startswith(server.base + "/_matrix/client/r0/login/cas/ticket?redirectUrl=https%3A%2F%2Fclient.example")

        # An account of before belongs to who has its name there; the old address of the redirect still leads to the server.
        await (await server.register("rabbit")).close()
        cas.user = "rabbit"
        page = await browser.get(f"{server.base}{V3}/login/cas/redirect?redirectUrl={quote(CLIENT, safe='')}")
        rabbit = await log_in(server, page.url)
        assert rabbit.user == "@rabbit:test.example"
        # He has a password as well: either shows that it is he.
        challenge = await refused(rabbit.call("DELETE", f"{V3}/devices/{rabbit.device}"))
        assert challenge.body["flows"] == [{"stages": ["m.login.password"]}, {"stages": ["m.login.sso"]}]
        session = challenge.body["session"]
        cas.service = f"{server.base}/_matrix/client/r0/login/cas/ticket?session={session}"
        done = await browser.get(f"{cas.service}&ticket=ST-golden")
        assert "close this window" in done.text
        await rabbit.call("DELETE", f"{V3}/devices/{rabbit.device}", {"auth": {"session": session}})
        assert (await refused(rabbit.get(V3 + "/account/whoami"))).status == 401

        ticket = server.base + V3 + "/login/cas/ticket?redirectUrl=" + quote(CLIENT, safe="")
        assert (await browser.get(ticket + "&ticket=ST-false")).status == 401
        for answer in (web.Response(text="<html>"), web.Response(status=500), web.Response(text="<!DOCTYPE x [<!ENTITY a 'b'>]><x/>")):
            cas.answer = answer
            assert (await browser.get(redirect(server))).status == 401
        assert (await refused(anonymous.get(f"{V3}/login/cas/ticket?ticket=x"))).errcode == "M_MISSING_PARAM"
        assert_no_secrets(server, "ST-golden")
        for client in (anonymous, user, rabbit):
            await client.close()
