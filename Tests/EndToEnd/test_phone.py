"""Telephone numbers, by an identity server of the operator's choice: shown to be one's own, for accounts, logins and passwords."""

import re

import pytest
import pytest_asyncio
from aiohttp import web

from homeserver import OUT_OF_THE_WAY, Client
from identity_server import IdentityServer
from mailsink import Mailbox
from test_email import begin as begin_mail
from test_email import press
from test_registration import auth, fallback, post_once, refused

V3 = "/_matrix/client/v3"
SUBMIT = "/_matrix/client/unstable/add_threepid/msisdn/submit_token"
NUMBER = "447700900001"


@pytest_asyncio.fixture
async def identity():
    async with IdentityServer() as server:
        yield server


@pytest_asyncio.fixture
async def phoning(configured, identity):
    """await phoning(option=…) -> a server that has `identity` validate numbers."""
    async def start(**options):
        return await configured(**{"rc_3pid_validation": OUT_OF_THE_WAY, **identity.options(), **options})
    return start


def ask(client, path, number="07700 900001", secret="s3cret", attempt=1, country="GB", **more):
    body = {"country": country, "phone_number": number, "client_secret": secret, "send_attempt": attempt, **more}
    return client.post(f"{V3}/{path}/msisdn/requestToken", body)


def submit(client, sid, code, secret="s3cret"):
    return client.post(SUBMIT, {"sid": sid, "client_secret": secret, "token": code}, checked=False)


def creds(sid, secret="s3cret"):
    return {"threepid_creds": {"sid": sid, "client_secret": secret}}


def password(client):
    return {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": client.user}, "password": client.password}


async def prove(client, identity, path, **more):
    """-> a session in which the number was shown."""
    sid = (await ask(client, path, **more))["sid"]
    assert await submit(client, sid, identity.codes[NUMBER], more.get("secret", "s3cret")) == {"success": True}
    return sid


async def add(client, identity):
    sid = await prove(client, identity, "account/3pid")
    await client.post(V3 + "/account/3pid/add", {"sid": sid, "client_secret": "s3cret", "auth": password(client)})


def log_in(server, password, **identifier):
    return post_once(server, V3 + "/login", {"type": "m.login.password", "identifier": identifier, "password": password})


async def test_registration_with_a_number(phoning, identity):
    server = await phoning(registrations_require_3pid=["msisdn"], enable_registration_without_verification=False)
    anonymous = Client(server)
    challenge = await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))
    assert challenge.body["flows"] == [{"stages": ["m.login.msisdn"]}]
    session = challenge.body["session"]
    begun = await ask(anonymous, "register", next_link="https://client.example/next")
    assert begun == {"sid": "1", "submit_url": server.base + SUBMIT, "msisdn": NUMBER}
    assert identity.asked == [{"client_secret": "s3cret", "country": "GB", "phone_number": "07700 900001", "send_attempt": 1,
                               "next_link": "https://client.example/next"}]
    stage = auth("m.login.msisdn", session, **creds("1"))
    assert (await refused(anonymous.post(V3 + "/register", stage))).errcode == "M_UNAUTHORIZED"
    assert await submit(anonymous, "1", "wrong") == {"success": False}
    assert await submit(anonymous, "1", identity.codes[NUMBER], "other") == {"success": False}
    assert await submit(anonymous, "1", identity.codes[NUMBER]) == {"success": True}
    other = auth("m.login.msisdn", session, **creds("1", "other"))
    assert (await refused(anonymous.post(V3 + "/register", other))).errcode == "M_UNAUTHORIZED"
    answer = await anonymous.post(V3 + "/register", stage)
    alice = Client(server, answer["access_token"], answer["user_id"])
    listed = (await alice.get(V3 + "/account/3pid"))["threepids"]
    assert [(entry["medium"], entry["address"]) for entry in listed] == [("msisdn", NUMBER)]
    assert listed[0]["validated_at"] == identity.sessions["1"]["validated"]
    # As it is dialled at home, from abroad, and as it is stored.
    for identifier in ({"type": "m.id.phone", "country": "GB", "phone": "07700900001"}, {"type": "m.id.phone", "country": "US", "phone": "+44 7700 900001"},
                       {"type": "m.id.phone", "country": "GB", "number": "7700-900001"}, {"type": "m.id.thirdparty", "medium": "msisdn", "address": NUMBER}):
        assert (await log_in(server, "secret of alice", **identifier))["user_id"] == alice.user
    assert (await refused(log_in(server, "secret of alice", type="m.id.phone", country="US", phone="7700900001"))).errcode == "M_FORBIDDEN"
    assert (await refused(log_in(server, "secret of alice", type="m.id.phone", country="GB", phone="my phone"))).errcode == "M_INVALID_PARAM"
    assert (await refused(ask(anonymous, "register"))).errcode == "M_THREEPID_IN_USE"
    for secret in (identity.codes[NUMBER], "s3cret", NUMBER, "07700 900001"):
        assert secret not in server.log()
    for client in (anonymous, alice):
        await client.close()


async def test_a_number_and_an_address(phoning, identity):
    mailbox = await Mailbox().start()
    server = await phoning(email=mailbox.section(), registrations_require_3pid=["msisdn", "email"])
    anonymous = Client(server)
    challenge = await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))
    assert challenge.body["flows"] == [{"stages": ["m.login.msisdn", "m.login.email.identity"]}]
    session = challenge.body["session"]
    sid = await begin_mail(anonymous, "register", "alice@example.org")
    await press(anonymous, await mailbox.next())
    half = await refused(anonymous.post(V3 + "/register", auth("m.login.email.identity", session, **creds(sid))))
    assert half.body["completed"] == ["m.login.email.identity"]
    sid = await prove(anonymous, identity, "register")
    answer = await anonymous.post(V3 + "/register", auth("m.login.msisdn", session, **creds(sid)))
    alice = Client(server, answer["access_token"], answer["user_id"])
    listed = (await alice.get(V3 + "/account/3pid"))["threepids"]
    assert {(entry["medium"], entry["address"]) for entry in listed} == {("msisdn", NUMBER), ("email", "alice@example.org")}
    for client in (anonymous, alice):
        await client.close()
    await mailbox.stop()


async def test_registration_on_pages(phoning, identity):
    server = await phoning(registrations_require_3pid=["msisdn"])
    anonymous = Client(server)
    session = (await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))).body["session"]
    status, page = await fallback(anonymous, "m.login.msisdn", session, phone="07700 900001")
    assert "Unable to parse phone number" in page
    status, page = await fallback(anonymous, "m.login.msisdn", session, phone="+44 7700 900001")
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert set(form) == {"session", "sid", "client_secret"} and 'name="code"' in page
    path = f"{V3}/auth/m.login.msisdn/fallback/web"
    _, _, page = await anonymous.raw("POST", path, data={**form, "code": "nonsense"})
    assert b"That is not the code" in page and b'name="code"' in page
    _, _, page = await anonymous.raw("POST", path, data={**form, "code": identity.codes[NUMBER]})
    assert b"onAuthDone" in page
    assert (await anonymous.post(V3 + "/register", {"auth": {"session": session}}))["user_id"] == "@alice:test.example"
    await anonymous.close()


async def test_numbers_of_an_account(phoning, identity):
    server = await phoning()
    alice, bob, anonymous = await server.register("alice"), await server.register("bob"), Client(server)
    challenge = await refused(anonymous.post(V3 + "/register", {"username": "carol", "password": "secret"}))
    assert challenge.body["flows"] == [{"stages": ["m.login.dummy"]}, {"stages": ["m.login.msisdn"]}]
    sid = (await ask(alice, "account/3pid"))["sid"]
    body = {"sid": sid, "client_secret": "s3cret", "auth": password(alice)}
    assert (await refused(alice.post(V3 + "/account/3pid/add", body))).errcode == "M_THREEPID_AUTH_FAILED"
    # Nothing new is sent for the same number of an attempt.
    assert (await ask(alice, "account/3pid"))["sid"] == sid and len(identity.codes) == 1
    assert await submit(alice, sid, identity.codes[NUMBER]) == {"success": True}
    # What was shown to have the number added makes no account, and is good once.
    session = challenge.body["session"]
    assert (await refused(anonymous.post(V3 + "/register", auth("m.login.msisdn", session, **creds(sid))))).errcode == "M_UNAUTHORIZED"
    await alice.post(V3 + "/account/3pid/add", body)
    assert (await refused(alice.post(V3 + "/account/3pid/add", body))).errcode == "M_THREEPID_AUTH_FAILED"
    assert (await refused(ask(bob, "account/3pid"))).errcode == "M_THREEPID_IN_USE"
    assert (await log_in(server, alice.password, type="m.id.phone", country="GB", phone="07700900001"))["user_id"] == alice.user
    await alice.post(V3 + "/account/3pid/delete", {"medium": "msisdn", "address": NUMBER})
    # The older way, without a password.
    sid = await prove(bob, identity, "account/3pid", secret="b0b")
    await bob.post(V3 + "/account/3pid", {"three_pid_creds": {"sid": sid, "client_secret": "b0b"}}, checked=False)
    assert [entry["address"] for entry in (await bob.get(V3 + "/account/3pid"))["threepids"]] == [NUMBER]
    for client in (alice, bob, anonymous):
        await client.close()


async def test_a_password_is_reset_by_a_code(phoning, identity):
    server = await phoning()
    alice, anonymous = await server.register("alice"), Client(server)
    await add(alice, identity)
    assert (await refused(ask(anonymous, "account/password", "07700900002"))).errcode == "M_THREEPID_NOT_FOUND"
    challenge = await refused(anonymous.post(V3 + "/account/password", {"new_password": "a new secret"}))
    assert challenge.body["flows"] == [{"stages": ["m.login.msisdn"]}]
    session = challenge.body["session"]
    sid = (await ask(anonymous, "account/password", secret="reset"))["sid"]
    stage = auth("m.login.msisdn", session, **creds(sid, "reset"))
    assert (await refused(anonymous.post(V3 + "/account/password", stage))).errcode == "M_UNAUTHORIZED"
    assert await submit(anonymous, sid, identity.codes[NUMBER], "reset") == {"success": True}
    await anonymous.post(V3 + "/account/password", stage)
    assert (await refused(alice.get(V3 + "/account/whoami"))).errcode == "M_UNKNOWN_TOKEN"
    phone = {"type": "m.id.phone", "country": "GB", "phone": "07700900001"}
    assert (await refused(log_in(server, alice.password, **phone))).errcode == "M_FORBIDDEN"
    assert (await log_in(server, "a new secret", **phone))["user_id"] == alice.user
    again = {"new_password": "another", **auth("m.login.msisdn", **creds(sid, "reset"))}
    assert (await refused(anonymous.post(V3 + "/account/password", again))).errcode == "M_UNAUTHORIZED"
    for client in (alice, anonymous):
        await client.close()


async def test_without_an_identity_server(configured):
    server = await configured()
    alice = await server.register("alice")
    for path, errcode in [("register", "M_UNKNOWN"), ("account/3pid", "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
                          ("account/password", "M_THREEPID_MEDIUM_NOT_SUPPORTED")]:
        failure = await refused(ask(alice, path))
        assert (failure.status, failure.errcode) == (400, errcode)
    failure = await refused(submit(alice, "1", "code"))
    assert (failure.status, failure.errcode) == (400, "M_UNKNOWN")
    challenge = await refused(alice.post(V3 + "/register", {"username": "bob", "password": "secret", **auth("m.login.msisdn", **creds("1"))}))
    assert challenge.status in (400, 401) and not any("m.login.msisdn" in flow["stages"] for flow in challenge.body.get("flows", []))
    await alice.close()


async def test_what_is_not_sent(phoning, identity):
    server = await phoning(
        allowed_local_3pids=[{"medium": "msisdn", "pattern": "44"}], disable_msisdn_registration=True, next_link_domain_whitelist=["client.example"],
        rc_3pid_validation={"per_second": 0.001, "burst_count": 6})
    anonymous = Client(server)
    challenge = await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret"}))
    assert challenge.body["flows"] == [{"stages": ["m.login.dummy"]}]
    for more, errcode in [({"number": "2015550123", "country": "US"}, "M_THREEPID_DENIED"), ({"number": "07700900001", "country": "XX"}, "M_INVALID_PARAM"),
                          ({"number": "0"}, "M_INVALID_PARAM"), ({"number": "\0"}, "M_INVALID_PARAM"), ({"secret": "a b"}, "M_INVALID_PARAM"),
                          ({"next_link": "https://elsewhere.example/"}, "M_INVALID_PARAM"), ({"number": "1" * 300}, "M_INVALID_PARAM")]:
        assert (await refused(ask(anonymous, "register", **more))).errcode == errcode, more
    assert (await refused(anonymous.post(V3 + "/register/msisdn/requestToken", {"country": "GB"}))).errcode == "M_MISSING_PARAM"
    assert identity.asked == []
    # Who tries codes gets no further than a few.
    sid = (await ask(anonymous, "register"))["sid"]
    for guess in range(6):
        assert await submit(anonymous, sid, f"guess {guess}") == {"success": False}
    assert (await refused(submit(anonymous, sid, identity.codes[NUMBER]))).errcode == "M_LIMIT_EXCEEDED"
    # Nor who asks for them.
    for attempt in range(2, 7):
        await ask(anonymous, "register", attempt=attempt)
    assert (await refused(ask(anonymous, "register", attempt=7))).errcode == "M_LIMIT_EXCEEDED"
    await anonymous.close()


async def test_no_answer_tells_whose_number_it_is(phoning, identity):
    server = await phoning(request_token_inhibit_3pid_errors=True)
    alice, anonymous = await server.register("alice"), Client(server)
    await add(alice, identity)
    sent = len(identity.asked)
    taken = await ask(anonymous, "register")
    free = await ask(anonymous, "register", "07700900002")
    assert set(taken) == set(free) and len(identity.asked) == sent + 1
    unknown = await ask(anonymous, "account/password", "07700900003")
    assert set(unknown) == set(free) and len(identity.asked) == sent + 1
    for answer in (taken, free, unknown):
        assert await submit(anonymous, answer["sid"], "guess") == {"success": False}
    for client in (alice, anonymous):
        await client.close()




@pytest.mark.parametrize("answer, status, errcode", [
    ({"status": 400, "body": {"errcode": "M_INVALID_PARAM", "error": "no"}}, 400, "M_INVALID_PARAM"),
    ({"status": 429, "body": {"errcode": "M_LIMIT_EXCEEDED", "error": "no"}}, 429, "M_LIMIT_EXCEEDED"),
    # Nobody is logged out by what an identity server says of this one.
    ({"status": 401, "body": {"errcode": "M_UNKNOWN_TOKEN", "error": "no"}}, 502, "M_UNKNOWN"),
    ({"status": 500, "body": {"errcode": "M_UNKNOWN", "error": "no"}}, 502, "M_UNKNOWN"),
    ({"status": 400, "body": {"errcode": "<script>", "error": "no"}}, 502, "M_UNKNOWN"),
    ({"status": 302, "body": {}, "headers": {"Location": "/elsewhere"}}, 502, "M_UNKNOWN"),
    ({"status": 200, "body": {"success": True}}, 502, "M_UNKNOWN"),
    ({"status": 200, "body": {"sid": 5}}, 502, "M_UNKNOWN"),
    ({"status": 200, "body": {"sid": "a b"}}, 502, "M_UNKNOWN"),
    ({"status": 200, "body": {"sid": "a" * 256}}, 502, "M_UNKNOWN"),
    ({"status": 200, "body": ["sid"]}, 502, "M_UNKNOWN"),
    ({"status": 200, "body": {"sid": "1", "more": "x" * 300_000}}, 500, "M_UNKNOWN"),
])
async def test_an_identity_server_that_answers_as_it_should_not(started, identity, answer, status, errcode):
    server = await started(rc_3pid_validation=OUT_OF_THE_WAY, **identity.options())
    alice = await server.register("alice")
    identity.answers["requestToken"] = web.json_response(answer["body"], status=answer["status"], headers=answer.get("headers"))
    failure = await refused(ask(alice, "account/3pid"))
    assert (failure.status, failure.errcode) == (status, errcode)
    await alice.close()


async def test_proofs_that_are_none(started, identity):
    server = await started(rc_3pid_validation=OUT_OF_THE_WAY, **identity.options())
    alice = await server.register("alice")
    sid = await prove(alice, identity, "account/3pid")
    whole = {"medium": "msisdn", "address": NUMBER, "validated_at": 1_700_000_000_000}
    body = {"sid": sid, "client_secret": "s3cret", "auth": password(alice)}
    for wrong in ({"medium": "email"}, {"address": "447700900002"}, {"address": "+" + NUMBER}, {"validated_at": "now"}, {"validated_at": None}):
        identity.answers["getValidated3pid"] = web.json_response({**whole, **wrong})
        assert (await refused(alice.post(V3 + "/account/3pid/add", body))).errcode == "M_THREEPID_AUTH_FAILED", wrong
    identity.answers["getValidated3pid"] = web.json_response(whole, status=404)
    assert (await refused(alice.post(V3 + "/account/3pid/add", body))).errcode == "M_THREEPID_AUTH_FAILED"
    identity.answers["submitToken"] = web.json_response({"success": True}, status=400)
    failure = await refused(submit(alice, sid, "code"))
    assert (failure.status, failure.errcode) == (400, "M_UNKNOWN")
    identity.answers["submitToken"] = web.json_response({"success": "true"})
    assert await submit(alice, sid, "code") == {"success": False}
    # A time that has not come yet is now.
    identity.answers["getValidated3pid"] = web.json_response({**whole, "validated_at": 2 ** 52})
    await alice.post(V3 + "/account/3pid/add", body)
    entry = (await alice.get(V3 + "/account/3pid"))["threepids"][0]
    assert entry["address"] == NUMBER and entry["validated_at"] <= entry["added_at"] < 2 ** 50
    await alice.close()


async def test_an_identity_server_that_is_away(started, identity):
    server = await started(rc_3pid_validation=OUT_OF_THE_WAY, **identity.options())
    alice = await server.register("alice")
    sid = await prove(alice, identity, "account/3pid")
    await identity.runner.cleanup()
    for call in (ask(alice, "account/3pid"), submit(alice, sid, "code"),
                 alice.post(V3 + "/account/3pid/add", {"sid": sid, "client_secret": "s3cret", "auth": password(alice)})):
        failure = await refused(call)
        assert (failure.status, failure.errcode) == (500, "M_UNKNOWN")
    await alice.close()
