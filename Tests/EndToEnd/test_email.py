"""E-mail: addresses that are shown to be one's own, registration and password reset by mail, and what leaks nothing."""

import re
import time

import pytest_asyncio
from aiohttp import web

from homeserver import OUT_OF_THE_WAY, Client
from mailsink import Mailbox, link, parameters, path_of
from partner import Authority, Partner
from test_registration import auth, fallback, post_once, refused

V3 = "/_matrix/client/v3"


@pytest_asyncio.fixture
async def mailbox():
    box = await Mailbox().start()
    yield box
    await box.stop()


@pytest_asyncio.fixture
async def mailing(configured, mailbox):
    """await mailing(option=…) -> a server that sends its mail to `mailbox`."""
    async def start(email=None, **options):
        return await configured(email=mailbox.section(**(email or {})), rc_3pid_validation=OUT_OF_THE_WAY, **options)
    return start


async def begin(client, path, address, secret="s3cret", attempt=1, **more):
    return (await client.post(f"{V3}/{path}/email/requestToken", {"email": address, "client_secret": secret, "send_attempt": attempt, **more}))["sid"]


async def press(client, mail):
    """Opens the link of a mail, and confirms where that is asked for -> status."""
    path = path_of(link(mail))
    status, headers, page = await client.raw("GET", path)
    if b"<form" in page:
        assert headers["X-Frame-Options"] == "DENY"
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.decode()))
        status, _, page = await client.raw("POST", path.split("?")[0], data=fields)
    return status


def creds(sid, secret="s3cret"):
    return {"threepid_creds": {"sid": sid, "client_secret": secret}}


async def add(client, mailbox, address, secret="s3cret"):
    sid = await begin(client, "account/3pid", address, secret)
    assert await press(client, await mailbox.next()) == 200
    password = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": client.user}, "password": client.password}
    await client.post(V3 + "/account/3pid/add", {"sid": sid, "client_secret": secret, "auth": password})


def log_in(server, address, password):
    identifier = {"type": "m.id.thirdparty", "medium": "email", "address": address}
    return post_once(server, V3 + "/login", {"type": "m.login.password", "identifier": identifier, "password": password})


async def test_a_mail_is_whole(mailing, mailbox):
    server = await mailing({"app_name": "Dën"})
    anonymous = Client(server)
    await begin(anonymous, "register", "Alice@Example.org")
    mail = await mailbox.next()
    assert mail["From"] == "Our Dën server <noreply@test.example>" and mail["To"] == "alice@example.org"
    assert mail["Subject"] == "[test.example] Validate your email" and mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@test.example>") and mail["Date"].datetime.timestamp() > 1.7e9
    assert mailbox.envelopes == [("test.example", "noreply@test.example", ["alice@example.org"])]
    values = parameters(link(mail))
    assert link(mail).startswith(server.base + "/_matrix/client/unstable/registration/email/submit_token?")
    assert values["client_secret"] == "s3cret" and len(values["token"]) == 32
    for secret in (values["token"], values["sid"], "alice@example.org", "s3cret"):
        assert secret.lower() not in server.log().lower()
    await anonymous.close()


async def test_registration_with_an_address(mailing, mailbox):
    server = await mailing(registrations_require_3pid=["email"], enable_registration_without_verification=False)
    anonymous = Client(server)
    challenge = await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))
    assert challenge.body["flows"] == [{"stages": ["m.login.email.identity"]}]
    session = challenge.body["session"]
    sid = await begin(anonymous, "register", "alice@example.org")
    stage = auth("m.login.email.identity", session, **creds(sid))
    assert (await refused(anonymous.post(V3 + "/register", stage))).errcode == "M_UNAUTHORIZED"
    assert await press(anonymous, await mailbox.next()) == 200
    other = auth("m.login.email.identity", session, **creds(sid, "other"))
    assert (await refused(anonymous.post(V3 + "/register", other))).errcode == "M_UNAUTHORIZED"
    answer = await anonymous.post(V3 + "/register", stage)
    alice = Client(server, answer["access_token"], answer["user_id"])
    listed = (await alice.get(V3 + "/account/3pid"))["threepids"]
    assert [(entry["medium"], entry["address"]) for entry in listed] == [("email", "alice@example.org")]
    assert (await log_in(server, "ALICE@example.org", "secret of alice"))["user_id"] == alice.user
    assert (await refused(log_in(server, "bob@example.org", "secret of alice"))).errcode == "M_FORBIDDEN"
    assert (await refused(begin(anonymous, "register", "alice@example.org"))).errcode == "M_THREEPID_IN_USE"
    for client in (anonymous, alice):
        await client.close()


async def test_registration_on_pages(mailing, mailbox):
    server = await mailing(registrations_require_3pid=["email"])
    anonymous = Client(server)
    session = (await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))).body["session"]
    path = f"{V3}/auth/m.login.email.identity/fallback/web"
    status, page = await fallback(anonymous, "m.login.email.identity", session, email="not an address")
    assert "Unable to parse email address" in page
    status, page = await fallback(anonymous, "m.login.email.identity", session, email="alice@example.org")
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert set(form) == {"session", "sid", "client_secret"}
    status, _, page = await anonymous.raw("POST", path, data=form)
    assert b"Unable to get validated threepid" in page
    assert await press(anonymous, await mailbox.next()) == 200
    status, _, page = await anonymous.raw("POST", path, data=form)
    assert b"onAuthDone" in page
    assert (await anonymous.post(V3 + "/register", {"auth": {"session": session}}))["user_id"] == "@alice:test.example"
    await anonymous.close()


async def test_addresses_of_an_account(mailing, mailbox):
    server = await mailing()
    alice, bob = await server.register("alice"), await server.register("bob")
    sid = await begin(alice, "account/3pid", "alice@example.org")
    body = {"sid": sid, "client_secret": "s3cret"}
    password = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": alice.password}
    assert (await refused(alice.post(V3 + "/account/3pid/add", body))).status == 401
    assert (await refused(alice.post(V3 + "/account/3pid/add", {**body, "auth": password}))).errcode == "M_THREEPID_AUTH_FAILED"
    mail = await mailbox.next()
    assert await press(alice, mail) == 200 and await press(alice, mail) == 200
    await alice.post(V3 + "/account/3pid/add", {**body, "auth": password})
    assert (await refused(alice.post(V3 + "/account/3pid/add", {**body, "auth": password}))).errcode == "M_THREEPID_AUTH_FAILED"
    # The older way, without a password.
    sid = await begin(alice, "account/3pid", "second@example.org", "two")
    await press(alice, await mailbox.next())
    await alice.post(V3 + "/account/3pid", {"three_pid_creds": {"sid": sid, "client_secret": "two"}}, checked=False)
    listed = (await alice.get(V3 + "/account/3pid"))["threepids"]
    assert {entry["address"] for entry in listed} == {"alice@example.org", "second@example.org"}
    assert (await refused(begin(bob, "account/3pid", "Alice@example.org"))).errcode == "M_THREEPID_IN_USE"

    delete = V3 + "/account/3pid/delete"
    assert (await refused(alice.post(delete, {"medium": "fax", "address": "1"}))).errcode == "M_INVALID_PARAM"
    await bob.post(delete, {"medium": "email", "address": "alice@example.org"})
    assert (await log_in(server, "alice@example.org", alice.password))["user_id"] == alice.user
    assert await alice.post(delete, {"medium": "email", "address": "Alice@example.org"}) == {"id_server_unbind_result": "no-support"}
    assert (await refused(log_in(server, "alice@example.org", alice.password))).errcode == "M_FORBIDDEN"
    for client in (alice, bob):
        await client.close()


async def test_a_password_is_reset_by_mail(mailing, mailbox):
    server = await mailing()
    alice, anonymous = await server.register("alice"), Client(server)
    await add(alice, mailbox, "alice@example.org")
    assert (await refused(begin(anonymous, "account/password", "nobody@example.org"))).errcode == "M_THREEPID_NOT_FOUND"
    sid = await begin(anonymous, "account/password", "Alice@example.org", "reset")
    mail = await mailbox.next()
    assert mail["Subject"] == "[test.example] Password reset"
    # Opening the link alone does nothing: programs do that, too.
    assert (await anonymous.raw("GET", path_of(link(mail))))[0] == 200
    body = {"new_password": "a new secret", **auth("m.login.email.identity", **creds(sid, "reset"))}
    assert (await refused(anonymous.post(V3 + "/account/password", body))).errcode == "M_UNAUTHORIZED"
    assert await press(anonymous, mail) == 200
    challenge = await refused(anonymous.post(V3 + "/account/password", {"new_password": "a new secret"}))
    assert challenge.body["flows"] == [{"stages": ["m.login.email.identity"]}]
    stage = auth("m.login.email.identity", challenge.body["session"], **creds(sid, "reset"))
    await anonymous.post(V3 + "/account/password", stage)
    assert (await refused(alice.get(V3 + "/account/whoami"))).errcode == "M_UNKNOWN_TOKEN"
    assert (await refused(log_in(server, "alice@example.org", alice.password))).errcode == "M_FORBIDDEN"
    assert (await log_in(server, "alice@example.org", "a new secret"))["user_id"] == alice.user
    # The mail was good for one password.
    for again in (stage, body):
        assert (await refused(anonymous.post(V3 + "/account/password", again))).status in (400, 401)
    for client in (alice, anonymous):
        await client.close()


async def test_a_proof_for_one_thing_does_no_other(mailing, mailbox):
    server = await mailing()
    alice, anonymous = await server.register("alice"), Client(server)
    await add(alice, mailbox, "alice@example.org")
    await begin(anonymous, "account/password", "alice@example.org", "reset")
    values = parameters(link(await mailbox.next()))
    # A reset's link does not validate at an address that is opened without asking.
    query = "&".join(f"{key}={value}" for key, value in values.items())
    assert (await anonymous.raw("GET", f"/_matrix/client/unstable/registration/email/submit_token?{query}"))[0] == 400
    assert (await anonymous.raw("POST", "/_synapse/client/password_reset/email/submit_token", data=values))[0] == 200
    body = auth("m.login.email.identity", **creds(values["sid"], "reset"))
    assert (await refused(anonymous.post(V3 + "/register", {"username": "eve", "password": "x", **body}))).errcode == "M_UNAUTHORIZED"
    older = {"three_pid_creds": {"sid": values["sid"], "client_secret": "reset"}}
    assert (await refused(alice.post(V3 + "/account/3pid", older))).errcode == "M_THREEPID_AUTH_FAILED"
    for client in (alice, anonymous):
        await client.close()


async def test_links_lead_on_only_to_where_they_may(mailing, mailbox):
    server = await mailing(next_link_domain_whitelist=["client.example.org"])
    anonymous = Client(server)
    for bad in ("https://evil.example/", "javascript:alert(1)", "file:///etc/passwd", "https://client.example.org@evil.example/"):
        assert (await refused(begin(anonymous, "register", "a@example.org", next_link=bad))).errcode == "M_INVALID_PARAM", bad
    sid = await begin(anonymous, "register", "a@example.org", next_link="https://client.example.org/done?x=1")
    mail = await mailbox.next()
    async with anonymous.session.get(link(mail), allow_redirects=False) as answer:
        assert answer.status == 302 and answer.headers["Location"] == f"https://client.example.org/done?x=1&sid={sid}"
    wrong = path_of(link(mail)).replace("token=", "token=x")
    status, _, page = await anonymous.raw("GET", wrong)
    assert status == 400 and b"not known" in page
    await anonymous.close()


async def test_nothing_tells_whether_an_address_has_an_account(mailing, mailbox):
    server = await mailing(request_token_inhibit_3pid_errors=True)
    alice, anonymous = await server.register("alice"), Client(server)
    await add(alice, mailbox, "alice@example.org")
    sids = {await begin(anonymous, "account/password", "nobody@example.org", "a"), await begin(anonymous, "register", "alice@example.org", "b"),
            await begin(alice, "account/3pid", "alice@example.org", "c"), await begin(anonymous, "account/password", "alice@example.org", "d")}
    assert len(sids) == 4 and len({len(sid) for sid in sids}) == 1
    mails = [await mailbox.next(), await mailbox.next()]
    assert {(mail["To"], mail["Subject"]) for mail in mails} == {
        ("alice@example.org", "[test.example] Email already in use"), ("alice@example.org", "[test.example] Password reset")}
    assert mailbox.mails.empty()
    for client in (alice, anonymous):
        await client.close()


async def test_limits_and_rules(mailing, configured, mailbox):
    server = await configured(email=mailbox.section(), rc_3pid_validation={"per_second": 0.001, "burst_count": 3}, enable_3pid_changes=False,
                              allowed_local_3pids=[{"medium": "email", "pattern": r"^[^@]+@example\.org$"}])
    alice = await server.register("alice")
    assert (await refused(begin(alice, "account/3pid", "alice@example.org"))).errcode == "M_FORBIDDEN"
    assert (await alice.get(V3 + "/capabilities"))["capabilities"]["m.3pid_changes"] == {"enabled": False}
    assert (await refused(begin(alice, "register", "alice@example.com"))).errcode == "M_THREEPID_DENIED"
    for body in [{}, {"email": "a"}, {"email": "a@example.org", "client_secret": "a b", "send_attempt": 1},
                 {"email": "a@example.org", "client_secret": "a", "send_attempt": "1"}, {"email": 1, "client_secret": "a", "send_attempt": 1},
                 {"email": "a@example.org\nBcc: b@example.org", "client_secret": "a", "send_attempt": 1}]:
        assert (await refused(alice.post(V3 + "/register/email/requestToken", body))).status == 400, body
    for index in range(3):
        await begin(alice, "register", f"a{index}@example.org", "s")
    limited = await refused(begin(alice, "register", "b@example.org", "s"))
    assert limited.status == 429 and limited.errcode == "M_LIMIT_EXCEEDED"
    await alice.close()

    plain = await configured()
    anonymous = Client(plain)
    assert (await refused(begin(anonymous, "register", "a@example.org"))).status == 400
    assert (await refused(anonymous.post(V3 + "/account/password", {"new_password": "x"}))).errcode == "M_MISSING_TOKEN"
    await anonymous.close()


async def test_a_mail_server_that_is_not_there_is_told_and_tried_again(mailing, mailbox):
    server = await mailing()
    anonymous = Client(server)
    await mailbox.stop()
    failure = await refused(begin(anonymous, "register", "alice@example.org"))
    assert failure.status == 500
    assert "alice@example.org" not in server.log() and "a mail could not be sent" in server.log()
    await mailbox.start()
    await begin(anonymous, "register", "alice@example.org")
    await mailbox.next()
    await anonymous.close()


async def test_transport_security(configured, tmp_path):
    """TLS is taken where it is offered, insisted on where it is wanted, and a certificate that nobody vouches for is none."""
    context = Authority(tmp_path / "authority").context("localhost", "127.0.0.1")
    login = ("martlet", "pass word")
    options = {"smtp_user": "martlet", "smtp_pass": "pass word"}
    trusting = {"use_insecure_ssl_client_just_for_testing_do_not_use": True, "rc_3pid_validation": OUT_OF_THE_WAY}
    cases = [
        # Mail server, section `email`, other options, whether the mail comes.
        (Mailbox(tls=context, login=login), {**options}, trusting, True),
        (Mailbox(tls=context, login=login), {**options, "require_transport_security": True}, trusting, True),
        (Mailbox(tls=context, login=login, implicit=True), {**options, "force_tls": True}, trusting, True),
        (Mailbox(tls=context, login=login), {**options, "smtp_pass": "wrong"}, trusting, False),
        (Mailbox(tls=context, login=login), {**options}, {}, False),
        (Mailbox(), {"require_transport_security": True}, trusting, False),
        (Mailbox(tls=context), {"enable_tls": False}, trusting, False),
        (Mailbox(), {"enable_tls": False}, {}, True),
    ]
    for index, (box, email, more, comes) in enumerate(cases):
        await box.start()
        server = await configured(email=box.section(**email), **more)
        client = Client(server)
        if comes:
            await begin(client, "register", "alice@example.org")
            await box.next()
        else:
            assert (await refused(begin(client, "register", "alice@example.org"))).status == 500, index
            assert box.mails.empty()
        assert "pass word" not in server.log()
        await client.close()
        await box.stop()
        await server.stop()


async def test_templates_of_the_operator(mailing, mailbox, tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "registration.txt").write_text("Hi! {{ link }} ({{ server_name }})\n")
    (folder / "registration.html").write_text('{% extends "_base.html" %}{% block body %}<a href="{{ link }}">{{ link }}</a>{% endblock %}')
    (folder / "registration_success.html").write_text("<p>Well done</p>")
    server = await mailing(templates={"custom_template_directory": str(folder)}, email={"subjects": {"email_validation": "Hello from %(app)s"}})
    anonymous = Client(server)
    await begin(anonymous, "register", "alice@example.org")
    mail = await mailbox.next()
    assert mail["Subject"] == "Hello from Matrix"
    assert mail.get_body(("plain",)).get_content().startswith("Hi! http") and "(test.example)" in mail.get_body(("plain",)).get_content()
    assert b"Well done" in (await anonymous.raw("GET", path_of(link(mail))))[2]
    await anonymous.close()


async def test_accounts_that_end_go_on_by_a_link(mailing, mailbox):
    server = await mailing(account_validity={"enabled": True, "period": "1h", "renew_at": "50m", "renew_email_subject": "Your %(app)s account ends"})
    admin, alice, anonymous = await server.register("admin", admin=True), await server.register("alice"), Client(server)
    await add(alice, mailbox, "alice@example.org")
    validity = "/_synapse/admin/v1/account_validity/validity"
    await admin.post(validity, {"user_id": alice.user, "expiration_ts": int(time.time() * 1000) + 30 * 60_000})
    mail = await mailbox.next()
    assert mail["To"] == "alice@example.org" and mail["Subject"] == "Your Matrix account ends"
    assert "Hello alice," in mail.get_body(("plain",)).get_content() and time.strftime("%Y-") in mail.get_body(("html",)).get_content()
    path = path_of(link(mail))
    assert path.startswith("/_matrix/client/unstable/account_validity/renew?token=")

    async def opened(path):
        status, headers, page = await anonymous.raw("GET", path)
        assert headers["Content-Type"].startswith("text/html")
        return status, page.decode()

    status, page = await opened(path)
    assert status == 200 and "goes on" in page and "renewed before" not in page
    status, page = await opened(path)
    assert status == 200 and "renewed before" in page
    for bad in (path[:-2], path.split("=")[0] + "=guess"):
        assert (await opened(bad))[0] == 404
    # Who asks is told again; also when it is too late.
    past = int(time.time() * 1000) - 1
    await admin.post(validity, {"user_id": alice.user, "expiration_ts": past, "enable_renewal_emails": False})
    assert (await refused(alice.sync())).errcode == "ORG_MATRIX_EXPIRED_ACCOUNT"
    assert (await refused(anonymous.post("/_matrix/client/unstable/account_validity/send_mail"))).errcode == "M_MISSING_TOKEN"
    await alice.post("/_matrix/client/unstable/account_validity/send_mail")
    late = path_of(link(await mailbox.next()))
    assert late != path and (await opened(late))[0] == 200
    await alice.sync()
    assert mailbox.mails.empty()
    for client in (admin, alice, anonymous):
        await client.close()


async def test_who_is_not_to_be_told_that_an_account_ends_is_not_told(mailing, mailbox):
    server = await mailing(account_validity={"enabled": True, "period": "1h", "renew_at": "50m"})
    admin, alice, bob = await server.register("admin", admin=True), await server.register("alice"), await server.register("bob")
    for client, address in ((alice, "alice@example.org"), (bob, "bob@example.org")):
        await add(client, mailbox, address)
    soon, validity = int(time.time() * 1000) + 20 * 60_000, "/_synapse/admin/v1/account_validity/validity"
    await admin.post(validity, {"user_id": alice.user, "expiration_ts": soon, "enable_renewal_emails": False})
    await mailbox.stop()
    await admin.post(validity, {"user_id": bob.user, "expiration_ts": soon + 60_000})
    await mailbox.start()
    # Whose accounts end is looked for at the start, in the order of the ends: alice would come first.
    await server.restart()
    assert (await mailbox.next())["To"] == "bob@example.org"
    await server.restart()
    await admin.post(validity, {"user_id": alice.user, "expiration_ts": soon + 120_000})
    assert (await mailbox.next())["To"] == "alice@example.org" and mailbox.mails.empty()
    for client in (admin, alice, bob):
        await client.close()


async def test_identity_servers(configured, tmp_path):
    """Addresses are published at an identity server, and forgotten there with a signature of this server."""
    partner = await Partner(Authority(tmp_path / "authority")).start()
    bound, unbound = [], []

    async def bind(request):
        assert request.headers["Authorization"] == "Bearer t0ken"
        body = await request.json()
        if body["sid"] != "known":
            return web.json_response({"errcode": "M_NO_VALID_SESSION", "error": "no"}, status=404)
        bound.append(body)
        return web.json_response({"medium": "email", "address": "alice@example.org", "mxid": body["mxid"]})

    async def unbind(request):
        assert request.headers["Authorization"].startswith('X-Matrix origin="test.example",')
        unbound.append((await request.json()))
        return web.json_response({})

    partner.handlers |= {"/_matrix/identity/v2/3pid/bind": bind, "/_matrix/identity/v2/3pid/unbind": unbind}
    server = await configured(ip_range_blacklist=[], use_insecure_ssl_client_just_for_testing_do_not_use=True)
    alice = await server.register("alice")
    body = {"id_server": partner.name, "id_access_token": "t0ken", "sid": "known", "client_secret": "s3cret"}
    assert (await refused(alice.post(V3 + "/account/3pid/bind", {**body, "sid": "other"}))).errcode == "M_NO_VALID_SESSION"
    for bad in ("", "a b", "localhost@evil", "localhost/../x", "localhost:x"):
        assert (await refused(alice.post(V3 + "/account/3pid/bind", {**body, "id_server": bad}))).errcode == "M_INVALID_PARAM", bad
    await alice.post(V3 + "/account/3pid/bind", body)
    assert bound == [{"sid": "known", "client_secret": "s3cret", "mxid": alice.user}]
    address = {"medium": "email", "address": "alice@example.org"}
    assert (await alice.post(V3 + "/account/3pid/unbind", address))["id_server_unbind_result"] == "success"
    assert (await alice.post(V3 + "/account/3pid/unbind", address))["id_server_unbind_result"] == "no-support"
    assert unbound == [{"mxid": alice.user, "threepid": address}]
    # At the end of the account.
    await alice.post(V3 + "/account/3pid/bind", body)
    password = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": alice.password}
    await partner.runner.cleanup()
    assert (await refused(alice.post(V3 + "/account/deactivate", {"auth": password}))).status == 500
    await alice.get(V3 + "/account/whoami")
    partner.port = int(partner.name.split(":")[1])
    await partner.start()
    assert await alice.post(V3 + "/account/deactivate", {"auth": password}) == {"id_server_unbind_result": "success"}
    assert len(unbound) == 2
    assert (await refused(alice.get(V3 + "/account/whoami"))).status == 401
    await alice.close()
    await partner.stop()
