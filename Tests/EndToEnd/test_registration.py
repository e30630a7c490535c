"""Ways to an account: tokens, terms, captchas, pages of stages, what survives a restart."""

import asyncio
import re
import time
from html import unescape
from urllib.parse import quote

import pytest

from homeserver import OUT_OF_THE_WAY, Client, MatrixFailure
from loopback import CaptchaService
from ports import free_port

V3 = "/_matrix/client/v3"
TOKENS = "/_synapse/admin/v1/registration_tokens"


async def post_once(server, path, body):
    """As somebody who is not logged in."""
    client = Client(server)
    try:
        return await client.post(path, body)
    finally:
        await client.close()


async def refused(awaitable):
    with pytest.raises(MatrixFailure) as failure:
        await awaitable
    return failure.value


def auth(stage, session=None, **more):
    return {"auth": {"type": stage, **({"session": session} if session else {}), **more}}


async def fallback(client, stage, session, **fields):
    """Opens the page of a stage, and submits its form with these fields -> (status, page)."""
    path = f"{V3}/auth/{stage}/fallback/web"
    status, headers, page = await client.raw("GET", f"{path}?session={session}")
    assert status == 200 and headers["Content-Type"].startswith("text/html"), page
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and headers["X-Frame-Options"] == "DENY"
    page = page.decode()
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    action = unescape(re.search(r'action="([^"]+)"', page).group(1))
    status, _, page = await client.raw("POST", action, data={**form, **fields})
    return status, page.decode()


async def test_tokens(configured):
    server = await configured(registration_requires_token=True, enable_registration_without_verification=False)
    admin, anonymous = await server.register("admin", admin=True), Client(server)
    made = await admin.post(TOKENS + "/new", {"token": "friends", "uses_allowed": 2})
    assert made == {"token": "friends", "uses_allowed": 2, "pending": 0, "completed": 0, "expiry_time": None}
    validity = "/_matrix/client/v1/register/m.login.registration_token/validity?token="
    assert (await anonymous.get(validity + "friends"))["valid"] and not (await anonymous.get(validity + "other"))["valid"]

    challenge = await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))
    assert challenge.body["flows"] == [{"stages": ["m.login.registration_token", "m.login.dummy"]}]
    session = challenge.body["session"]
    wrong = await refused(anonymous.post(V3 + "/register", auth("m.login.registration_token", session, token="guess")))
    assert wrong.status == 401 and wrong.errcode == "M_UNAUTHORIZED" and wrong.body["completed"] == []
    half = await refused(anonymous.post(V3 + "/register", auth("m.login.registration_token", session, token="friends")))
    assert half.body["completed"] == ["m.login.registration_token"] and half.errcode is None
    assert (await admin.get(TOKENS + "/friends"))["pending"] == 1

    # The session, the token it holds and the password it was given survive a restart, also a hard one.
    await server.kill()
    await server.start()
    answer = await anonymous.post(V3 + "/register", auth("m.login.dummy", session))
    assert answer["user_id"] == "@alice:test.example"
    await post_once(server, V3 + "/login", {"type": "m.login.password", "password": "secret of alice",
                                            "identifier": {"type": "m.id.user", "user": "alice"}})
    assert await anonymous.post(V3 + "/register", auth("m.login.dummy", session)) != answer
    state = await admin.get(TOKENS + "/friends")
    assert (state["pending"], state["completed"]) == (0, 1)

    # What administrators do with tokens.
    late = int(time.time() * 1000) + 3_600_000
    assert (await admin.put(TOKENS + "/friends", {"uses_allowed": None, "expiry_time": late}))["expiry_time"] == late
    assert (await refused(admin.post(TOKENS + "/new", {"token": "friends"}))).errcode == "M_INVALID_PARAM"
    for body in [{"token": "a b"}, {"token": ""}, {"token": 5}, {"length": 0}, {"length": 65}, {"uses_allowed": -1}, {"expiry_time": 1}]:
        assert (await refused(admin.post(TOKENS + "/new", body))).status == 400, body
    random = await admin.post(TOKENS + "/new", {"length": 40, "uses_allowed": 0})
    assert len(random["token"]) == 40
    listed = await admin.get(TOKENS + "?valid=true")
    assert [token["token"] for token in listed["registration_tokens"]] == ["friends"]
    assert len((await admin.get(TOKENS))["registration_tokens"]) == 2
    assert await admin.call("DELETE", TOKENS + "/friends") == {}
    assert (await refused(admin.call("DELETE", TOKENS + "/friends"))).status == 404
    alice = Client(server, answer["access_token"])
    assert (await refused(alice.get(TOKENS))).errcode == "M_FORBIDDEN"
    assert "friends" not in server.log() and random["token"] not in server.log()
    for client in (admin, anonymous, alice):
        await client.close()


async def test_guessing_tokens_is_slow(configured):
    server = await configured(registration_requires_token=True, rc_registration_token_validity={"per_second": 0.01, "burst_count": 3})
    anonymous = Client(server)
    validity = "/_matrix/client/v1/register/m.login.registration_token/validity?token=guess"
    for _ in range(2):
        await anonymous.get(validity)
    guess = await refused(anonymous.post(V3 + "/register", {"password": "x", **auth("m.login.registration_token", token="guess")}))
    assert guess.errcode == "M_UNAUTHORIZED"
    limited = await refused(anonymous.get(validity))
    assert limited.status == 429 and limited.errcode == "M_LIMIT_EXCEEDED" and limited.body["retry_after_ms"] > 0
    status, headers, _ = await anonymous.raw("GET", validity)
    assert status == 429 and int(headers["Retry-After"]) > 0
    more = await refused(anonymous.post(V3 + "/register", {"password": "x", **auth("m.login.registration_token", token="guess")}))
    assert more.errcode == "M_LIMIT_EXCEEDED"
    await anonymous.close()


def write_terms(folder):
    folder = folder / "terms" / "en"
    folder.mkdir(parents=True)
    (folder / "1.0.html").write_text(
        "<h1>Be nice</h1>{% if public_version %}public{% elif has_consented %}agreed{% else %}"
        '<form method="post"><input type="hidden" name="v" value="{{version}}"><input type="hidden" name="u" value="{{user}}">'
        '<input type="hidden" name="h" value="{{userhmac}}"><input type="submit" value="yes"></form>{% endif %}')
    (folder / "success.html").write_text("<p>Thanks, {{ user }}</p>")
    return str(folder.parent)


def listeners(port):
    return [{"port": port, "type": "http", "tls": False, "bind_addresses": ["127.0.0.1"],
             "resources": [{"names": ["client", "federation", "consent"]}]}]


async def with_terms(configured, tmp_path, **more):
    port = free_port()
    terms = {"version": 1.0, "template_dir": write_terms(tmp_path), **more}
    server = await configured(user_consent=terms, listeners=listeners(port), public_baseurl=f"http://127.0.0.1:{port}/", port=port)
    return server


async def test_terms_at_registration(configured, tmp_path):
    server = await with_terms(configured, tmp_path, require_at_registration=True, policy_name="House rules",
                              block_events_error="You have to agree: %(consent_uri)s")
    anonymous = Client(server)
    challenge = await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))
    assert challenge.body["flows"] == [{"stages": ["m.login.terms", "m.login.dummy"]}]
    policy = challenge.body["params"]["m.login.terms"]["policies"]["privacy_policy"]
    assert policy["version"] == "1.0" and policy["en"]["name"] == "House rules"
    assert policy["en"]["url"] == server.base + "/_matrix/consent?v=1.0"
    status, _, page = await anonymous.raw("GET", "/_matrix/consent?v=1.0")
    assert status == 200 and b"public" in page
    assert (await anonymous.raw("GET", "/_matrix/consent?v=../1.0"))[0] == 404
    session = challenge.body["session"]
    # On a page, as a client does that does not know the stage.
    status, page = await fallback(anonymous, "m.login.terms", session)
    assert status == 200 and "onAuthDone" in page
    answer = await anonymous.post(V3 + "/register", auth("m.login.dummy", session))
    alice = Client(server, answer["access_token"], answer["user_id"])
    await alice.create_room()
    for client in (alice, anonymous):
        await client.close()


async def test_who_has_not_agreed_reads_and_leaves(configured, tmp_path):
    server = await with_terms(configured, tmp_path, block_events_error="You have to agree: %(consent_uri)s")
    alice = await server.register("alice")
    stopped = await refused(alice.create_room())
    assert stopped.status == 403 and stopped.errcode == "M_CONSENT_NOT_GIVEN"
    uri = stopped.body["consent_uri"]
    assert stopped.body["error"] == "You have to agree: " + uri
    await alice.sync()
    path = uri[len(server.base):]
    status, headers, page = await alice.raw("GET", path)
    assert status == 200 and b"<form" in page and headers["X-Frame-Options"] == "DENY"
    forged = path[:-1] + ("0" if path[-1] != "0" else "1")
    assert (await alice.raw("GET", forged))[0] == 403
    fields = dict(re.findall(r'name="(\w)" value="([^"]*)"', page.decode()))
    assert (await alice.raw("POST", "/_matrix/consent", data={**fields, "h": "0" * 64}))[0] == 403
    status, _, page = await alice.raw("POST", "/_matrix/consent", data=fields)
    assert status == 200 and b"Thanks, alice" in page
    assert b"agreed" in (await alice.raw("GET", path))[2]
    room = await alice.create_room()
    await alice.send(room, "hello")
    assert path.split("h=")[1] not in server.log()
    await alice.close()


async def test_captcha(configured):
    async with CaptchaService() as service:
        server = await configured(**service.options())
        anonymous = Client(server)
        await solve(anonymous, service.asked)
    unanswered = await refused(anonymous.post(V3 + "/register", {"password": "x", **auth("m.login.recaptcha", response="right")}))
    assert unanswered.status == 502
    await anonymous.close()


async def solve(anonymous, asked):
    challenge = await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))
    assert challenge.body["flows"] == [{"stages": ["m.login.recaptcha", "m.login.dummy"]}]
    assert challenge.body["params"]["m.login.recaptcha"] == {"public_key": "public"}
    session = challenge.body["session"]
    assert (await refused(anonymous.post(V3 + "/register", auth("m.login.recaptcha", session)))).errcode == "M_CAPTCHA_NEEDED"
    wrong = await refused(anonymous.post(V3 + "/register", auth("m.login.recaptcha", session, response="wrong")))
    assert wrong.errcode == "M_CAPTCHA_INVALID" and asked[-1]["secret"] == "private" and asked[-1]["remoteip"] == "127.0.0.1"
    status, page = await fallback(anonymous, "m.login.recaptcha", session, **{"g-recaptcha-response": "wrong"})
    assert "Invalid captcha" in page
    status, page = await fallback(anonymous, "m.login.recaptcha", session, **{"g-recaptcha-response": "right"})
    assert "onAuthDone" in page
    assert (await anonymous.post(V3 + "/register", auth("m.login.dummy", session)))["user_id"] == "@alice:test.example"


async def test_pages_of_stages(configured):
    server = await configured(registration_requires_token=True)
    admin, anonymous = await server.register("admin", admin=True), Client(server)
    await admin.post(TOKENS + "/new", {"token": "friends"})
    challenge = await refused(anonymous.post(V3 + "/register", {"username": "alice", "password": "secret of alice"}))
    session = challenge.body["session"]
    status, page = await fallback(anonymous, "m.login.registration_token", session, token='"><script>alert(1)</script>')
    assert status == 200 and "Invalid registration token" in page and "alert(1)" not in page
    status, page = await fallback(anonymous, "m.login.registration_token", session, token="friends")
    assert "onAuthDone" in page
    status, page = await fallback(anonymous, "m.login.dummy", session)
    assert "onAuthDone" in page
    assert (await anonymous.post(V3 + "/register", {"auth": {"session": session}}))["user_id"] == "@alice:test.example"
    for path, expected in [("m.login.dummy/fallback/web", 400), ("m.login.dummy/fallback/web?session=unheard", 400),
                           (f"m.login.unheard/fallback/web?session={session}", 404)]:
        assert (await anonymous.raw("GET", f"{V3}/auth/{path}"))[0] == expected, path

    # The password of one's own, on a page.
    alice = await server.register("bob")
    device = (await alice.post(V3 + "/login", {"type": "m.login.password", "user": "bob", "password": alice.password}))["device_id"]
    challenge = await refused(alice.call("DELETE", f"{V3}/devices/{device}"))
    status, page = await fallback(anonymous, "m.login.password", challenge.body["session"], password="wrong")
    assert "@bob:test.example" in page and "Invalid username or password" in page
    status, page = await fallback(anonymous, "m.login.password", challenge.body["session"], password=alice.password)
    assert "onAuthDone" in page
    await alice.call("DELETE", f"{V3}/devices/{device}", {"auth": {"session": challenge.body["session"]}})
    for client in (admin, anonymous, alice):
        await client.close()


async def test_a_recent_proof_is_enough_for_devices_and_not_for_the_account(configured):
    server = await configured(ui_auth={"session_timeout": "10m"})
    alice = await server.register("alice")
    login = {"type": "m.login.password", "user": "alice", "password": alice.password}
    device = (await alice.post(V3 + "/login", login))["device_id"]
    await alice.call("DELETE", f"{V3}/devices/{device}")
    assert (await refused(alice.post(V3 + "/account/password", {"new_password": "something else"}))).status == 401
    assert (await refused(alice.post(V3 + "/account/deactivate"))).status == 401
    await alice.close()


async def test_a_guest_becomes_a_person_over_two_requests(configured):
    server = await configured(allow_guest_access=True)
    anonymous = Client(server)
    answer = await anonymous.post(V3 + "/register?kind=guest")
    name = answer["user_id"][1:].split(":")[0]
    body = {"username": name, "password": "secret of a guest", "guest_access_token": answer["access_token"]}
    session = (await refused(anonymous.post(V3 + "/register", body))).body["session"]
    await server.restart()
    person = await anonymous.post(V3 + "/register", auth("m.login.dummy", session))
    assert person["user_id"] == answer["user_id"]
    client = Client(server, person["access_token"])
    assert (await client.get(V3 + "/account/whoami"))["is_guest"] is False
    # Nobody else becomes that guest.
    forged = await refused(anonymous.post(V3 + "/register", {**body, "guest_access_token": person["access_token"]}))
    assert forged.status == 403
    for each in (anonymous, client):
        await each.close()


async def test_names(configured):
    server = await configured(rc_registration=OUT_OF_THE_WAY)
    anonymous = Client(server)
    available = V3 + "/register/available?username="
    assert (await anonymous.get(available + "alice"))["available"]
    await server.register("alice")
    for name, errcode in [("alice", "M_USER_IN_USE"), ("ALICE", "M_INVALID_USERNAME"), ("", "M_INVALID_USERNAME"), ("_a", "M_INVALID_USERNAME"),
                          ("123", "M_INVALID_USERNAME"), ("a b", "M_INVALID_USERNAME"), ("a" * 250, "M_INVALID_USERNAME")]:
        assert (await refused(anonymous.get(available + quote(name)))).errcode == errcode, name
    assert (await refused(anonymous.get(V3 + "/register/available"))).errcode == "M_MISSING_PARAM"
    results = await asyncio.gather(*(anonymous.raw("GET", available + f"n{i}") for i in range(60)))
    assert {status for status, _, _ in results} == {200, 429}
    await anonymous.close()


async def test_rooms_for_new_accounts_that_cannot_be_joined_without_an_invite(configured):
    server = await configured(auto_join_rooms=["#den:test.example"], autocreate_auto_join_room_preset="private_chat",
                              auto_join_mxid_localpart="host", autocreate_auto_join_rooms_federated=False)
    host = await server.register("host")
    alice = await server.register("alice")
    for client in (host, alice):
        rooms = (await client.get(V3 + "/joined_rooms"))["joined_rooms"]
        assert len(rooms) == 1
    create = await alice.get(f"{alice.room(rooms[0])}/state/m.room.create")
    assert create["m.federate"] is False
    assert (await alice.get(f"{alice.room(rooms[0])}/state/m.room.join_rules"))["join_rule"] == "invite"
    for client in (host, alice):
        await client.close()
