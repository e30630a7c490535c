"""That no log tells a secret, at whatever level: everything that has one is done once, well and badly, and then the log is read."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest_asyncio
import yaml

from browser import Browser
from crypto import Identity, Key
from homeserver import OUT_OF_THE_WAY, Client
from identity_server import IdentityServer
from mailsink import Mailbox, link, parameters
from openid_provider import Provider
from test_authentication_service import Service
from test_email import add, begin, creds, press
from test_login import GET_TOKEN, signed
from test_phone import NUMBER, ask, submit
from test_registration import TOKENS, auth, refused
from test_rendezvous import JSON
from test_single_sign_on import redirect

V3 = "/_matrix/client/v3"


class Log:
    """The log of a server at DEBUG, and what must not be in it."""

    def __init__(self, folder):
        self.folder, self.file, self.secrets = folder, folder / "debug.log", {}

    def config(self):
        path = self.folder / "log.yaml"
        path.write_text(yaml.safe_dump({
            "version": 1, "formatters": {"precise": {"format": "%(asctime)s %(name)s %(levelname)s %(message)s"}},
            "handlers": {"file": {"class": "logging.FileHandler", "formatter": "precise", "filename": str(self.file)}},
            "root": {"level": "DEBUG", "handlers": ["file"]}}))
        return str(path)

    def keep(self, **secrets):
        """-> the last one."""
        for name, secret in secrets.items():
            assert len(secret) >= 6, (name, secret)
            self.secrets.setdefault(secret, name)
        return secret

    def check(self, server):
        text = self.file.read_text(errors="replace") + (server.folder / "output.log").read_text(errors="replace")
        assert "GET-" in text and "POST-" in text, "requests are not logged at all"
        folded = text.lower() + unquote(text).lower()
        assert {name for secret, name in self.secrets.items() if secret.lower() in folded} == set()


@pytest_asyncio.fixture
async def log(tmp_path):
    return Log(tmp_path)


async def register(log, client, name, token):
    """-> a session, in which some stages failed at first."""
    password = log.keep(password=f"the password of {name}")
    wanted = {"username": name, "password": password, "refresh_token": True}
    challenge = await refused(client.post(V3 + "/register", wanted))
    session = log.keep(session=challenge.body["session"])
    await refused(client.post(V3 + "/register", auth("m.login.registration_token", session, token=log.keep(guess="guessed-token"))))
    await refused(client.post(V3 + "/register", auth("m.login.registration_token", session, token=token)))
    answer = await client.post(V3 + "/register", auth("m.login.dummy", session))
    log.keep(refresh=answer["refresh_token"], access=answer["access_token"])
    return Client(client.server, answer["access_token"], answer["user_id"], answer["device_id"], password), answer["refresh_token"]


async def test_accounts_and_sessions(configured, log):
    mailbox = await Mailbox().start()
    async with Provider() as provider, Browser() as browser:
        secrets = {name: log.keep(**{name: "configured " + name}) for name in (
            "macaroon_secret_key", "form_secret", "pepper", "jwt_secret", "turn_shared_secret", "smtp_pass")}
        server = await configured(
            log_config=log.config(), email=mailbox.section(), rc_3pid_validation=OUT_OF_THE_WAY, registration_requires_token=True,
            macaroon_secret_key=secrets["macaroon_secret_key"], form_secret=secrets["form_secret"], turn_uris=["turn:turn.example"],
            turn_shared_secret=secrets["turn_shared_secret"], password_config={"pepper": secrets["pepper"]},
            jwt_config={"enabled": True, "secret": secrets["jwt_secret"], "algorithm": "HS256"}, oidc_providers=[provider.options()],
            login_via_existing_session={"enabled": True, "require_ui_auth": False})
        log.keep(shared_secret=server.secret, client_secret=provider.client_secret, signing_key=(server.folder / "signing.key").read_text().split()[2])
        admin, anonymous = await server.register("admin", log.keep(admin_password="rule the place"), admin=True), Client(server)
        log.keep(admin=admin.token)
        token = (await admin.post(TOKENS + "/new", {}))["token"]
        await admin.get(f"{TOKENS}/{log.keep(registration_token=token)}")
        await anonymous.get(f"/_matrix/client/v1/register/m.login.registration_token/validity?token={token}")
        alice, refresh = await register(log, anonymous, "alice", token)

        # Passwords and tokens, right and wrong, in every place.
        address = log.keep(address="alice.liddell@example.org")
        await add(alice, mailbox, address, log.keep(secret="for-adding-an-address"))
        identifier = {"type": "m.id.thirdparty", "medium": "email", "address": address}
        for password in (alice.password, log.keep(wrong="mistyped password")):
            await anonymous.raw("POST", V3 + "/login", {"type": "m.login.password", "identifier": identifier, "password": password})
            await anonymous.raw("POST", V3 + "/login", data=f'{{"type": "m.login.password", "password": "{password}"')
        renewed = await anonymous.post(V3 + "/refresh", {"refresh_token": refresh})
        alice.token = log.keep(access=renewed["access_token"], refresh=renewed["refresh_token"])
        alice.token = renewed["access_token"]
        await alice.get(V3 + "/account/whoami")
        for query in ("?access_token=" + log.keep(unknown="syt_nobody_has_this_one"), "?access_token=" + alice.token):
            await anonymous.raw("GET", V3 + "/account/whoami" + query)
        await refused(anonymous.post(V3 + "/refresh", {"refresh_token": refresh}))
        login_token = log.keep(login_token=(await alice.post(GET_TOKEN))["login_token"])
        for _ in range(2):
            await anonymous.raw("POST", V3 + "/login", {"type": "m.login.token", "token": login_token})
        for key in (secrets["jwt_secret"], "another key"):
            text = log.keep(jwt=signed({"sub": "frog"}, key))
            await anonymous.raw("POST", V3 + "/login", {"type": "org.matrix.login.jwt", "token": text})
        openid = (await alice.post(f"{V3}/user/{alice.user}/openid/request_token"))["access_token"]
        await anonymous.get(f"/_matrix/federation/v1/openid/userinfo?access_token={log.keep(openid=openid)}")
        log.keep(turn=(await alice.get(V3 + "/voip/turnServer"))["password"])

        # By mail, also where it cannot be delivered.
        sid = await begin(anonymous, "account/password", address, log.keep(secret="for-a-reset"))
        mail = await mailbox.next()
        await press(anonymous, mail)
        log.keep(sid=sid, mail_token=parameters(link(mail))["token"])
        await anonymous.post(V3 + "/account/password", {
            "new_password": log.keep(new="a new secret of alice"), "logout_devices": False, **auth("m.login.email.identity", **creds(sid, "for-a-reset"))})
        await mailbox.stop()
        await refused(begin(anonymous, "register", log.keep(address="nobody.reads@example.org"), "for-nobody"))
        await anonymous.raw("GET", f"/_synapse/admin/v1/threepid/email/users/{address}")

        # By single sign-on: what the provider sends through the browser and what it tells the server.
        page = await browser.get(redirect(server))
        log.keep(login_token=parse_qs(urlsplit(page.link("Continue")).query)["loginToken"][0])
        log.keep(state=provider.requests[-1]["state"], nonce=provider.requests[-1]["nonce"])
        log.keep(code=next(asked for asked in provider.asked if asked[0] == "token")[1]["code"])
        provider.change_claims = lambda claims: {**claims, "aud": "somebody else", "email": log.keep(address="claimed@example.org")}
        await browser.get(redirect(server))

        # Room for a mistake in what is only ever an error: a body of the wrong shape, and one that is too large.
        await alice.raw("POST", V3 + "/account/password", {"new_password": {"not": log.keep(odd="a text at all")}})
        await alice.raw("POST", V3 + "/account/password", {"new_password": "an endless secret " * 20_000})
        log.keep(endless="an endless secret")
        user = {"type": "m.id.user", "user": alice.user}
        await alice.post(V3 + "/account/deactivate", auth("m.login.password", identifier=user, password="a new secret of alice"))
        for client in (admin, anonymous, alice):
            await client.close()
    await server.stop()
    log.check(server)


async def test_telephone_numbers(configured, log):
    async with IdentityServer() as identity:
        server = await configured(**identity.options(), log_config=log.config(), rc_3pid_validation=OUT_OF_THE_WAY)
        alice, anonymous = await server.register("alice"), Client(server)
        secret = log.keep(number=NUMBER, national="7700900001", secret="for-adding-a-number")
        await refused(ask(anonymous, "register", "no number but 7700900001", secret=secret))
        sid = (await ask(alice, "account/3pid", "07700900001", secret=secret))["sid"]
        code = log.keep(wrong="a-wrong-code", code=identity.codes[NUMBER])
        for attempt in ("a-wrong-code", code):
            await submit(alice, sid, attempt, secret)
        body = {"sid": sid, "client_secret": secret}
        await alice.post(V3 + "/account/3pid", {"three_pid_creds": body}, checked=False)
        identifier = {"type": "m.id.phone", "country": "GB", "phone": "07700900001"}
        await anonymous.post(V3 + "/login", {"type": "m.login.password", "identifier": identifier, "password": alice.password})
        # Also while the identity server is away.
        sid = (await ask(anonymous, "account/password", secret=secret))["sid"]
        await identity.runner.cleanup()
        for call in (ask(anonymous, "account/password", secret=secret), submit(anonymous, sid, code, secret)):
            assert (await refused(call)).status == 500
        for client in (alice, anonymous):
            await client.close()
    await server.stop()
    log.check(server)


async def test_devices_and_keys(configured, log):
    server = await configured(log_config=log.config())
    alice, bob = await server.register("alice"), await server.register("bob")
    device, identity = Key(alice.user, alice.device), Identity(alice.user)
    await alice.post(V3 + "/keys/upload", {
        "device_keys": device.device_keys(), "one_time_keys": {"signed_curve25519:AAAA": device.sign({"key": log.keep(one_time_key="one-time-key-of-alice")})}})
    other = device.sign({"key": log.keep(other="another-key-of-alice")})
    await refused(alice.post(V3 + "/keys/upload", {"one_time_keys": {"signed_curve25519:AAAA": other}}))
    await alice.post(V3 + "/keys/device_signing/upload", identity.body())
    await bob.post(V3 + "/keys/claim", {"one_time_keys": {alice.user: {alice.device: "signed_curve25519"}}})
    await bob.put(f"{V3}/sendToDevice/m.room_key/1", {"messages": {alice.user: {alice.device: {"key": log.keep(room_key="a key of a room")}}}})
    await alice.sync()
    version = (await alice.post(V3 + "/room_keys/version", {"algorithm": "m.a", "auth_data": {"key": log.keep(auth_data="data of a backup")}}))["version"]
    kept = {"first_message_index": 0, "forwarded_count": 0, "is_verified": True, "session_data": {"key": log.keep(backup="a key in a backup")}}
    await alice.put(f"{V3}/room_keys/keys/!r/s?version={version}", kept)
    await refused(alice.put(f"{V3}/room_keys/keys/!r/s?version=9", kept))
    log.keep(master=identity.master.public, device=device.public, alice=alice.token, bob=bob.token, password=alice.password)
    await server.stop()
    log.check(server)
    for client in (alice, bob):
        await client.close()


async def test_what_an_authentication_service_knows(configured, log):
    async with Service() as service:
        server = await configured(**service.options(), log_config=log.config(),
                                  experimental_features={"msc4108_enabled": True, "msc4388_mode": "open"})
        alice, anonymous = await service.user(server, "alice"), Client(server)
        log.keep(service=service.secret, token=alice.token)
        await alice.sync()
        service.answer = None
        anonymous.token = log.keep(unknown="mat_that_nobody_has")
        await anonymous.raw("GET", V3 + "/account/whoami")
        await service.runner.cleanup()
        anonymous.token = log.keep(away="mat_while_it_is_away")
        assert (await anonymous.raw("GET", V3 + "/account/whoami"))[0] == 503
        anonymous.token = None
        begun = await anonymous.post(JSON, {"data": log.keep(data="what devices tell each other")})
        await anonymous.get(f"{JSON}/{log.keep(rendezvous=begun['id'])}")
        for client in (alice, anonymous):
            await client.close()
    await server.stop()
    log.check(server)
