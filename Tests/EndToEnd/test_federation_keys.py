"""Finding other servers, their keys, and signed requests in both directions, with a partner that signs, lies and stalls."""

import asyncio
import time
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from homeserver import Homeserver
from partner import Authority, Partner, check_signature, endless, slow

KEYS = "/_matrix/key/v2/server"
FEDERATION = "/_matrix/federation/v1"


@pytest_asyncio.fixture
async def town(database, tmp_path):
    """town(**overrides) -> a running Martlet that trusts the authority; town.partner(…) -> another server."""

    class Town:
        def __init__(self):
            self.authority = Authority(tmp_path / "authority")
            self.ends = []

        async def __call__(self, **overrides):
            settings = {"federation_custom_ca_list": [str(self.authority.path)], "ip_range_blacklist": [], "trusted_key_servers": [],
                        "rc_federation": {"sleep_limit": 100000, "reject_limit": 100000}, **overrides}
            server = Homeserver(tmp_path / f"server{len(self.ends)}", database, **settings)
            self.ends.append(server.destroy)
            return await server.start()

        async def partner(self, **more):
            partner = await Partner(self.authority, **more).start()
            self.ends.append(partner.stop)
            return partner

    made = Town()
    try:
        yield made
    finally:
        for end in reversed(made.ends):
            await end()


async def get(server, path):
    async with aiohttp.ClientSession() as session, session.get(server.base + path) as answer:
        return answer.status, await answer.json()


async def post(server, path, body):
    async with aiohttp.ClientSession() as session, session.post(server.base + path, json=body) as answer:
        return answer.status, await answer.json()


def resident(server):
    """Bytes."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


async def profile(server, partner, user, **more):
    return await partner.ask(server, "GET", f"{FEDERATION}/query/profile", {"user_id": user, "field": "displayname"}, **more)


# Signed requests


async def test_a_signed_request_is_answered_and_all_others_are_not(town):
    server, partner = await town(), await town.partner()
    alice = await server.register("alice")
    await alice.put(f"/_matrix/client/v3/profile/{quote(alice.user)}/displayname", {"displayname": "Älice"})
    assert await profile(server, partner, alice.user) == (200, {"displayname": "Älice"})
    uri = f"{FEDERATION}/query/profile?user_id={quote(alice.user, safe='')}&field=displayname"
    stranger = Ed25519PrivateKey.generate()
    for authorization, status in [
        ("", 401), ("Bearer abc", 401), ("X-Matrix nonsense", 400),
        (partner.authorization("GET", uri + "x", server.name), 401),
        (partner.authorization("POST", uri, server.name), 401),
        (partner.authorization("GET", uri, "other.example"), 401),
        (partner.authorization("GET", uri, server.name, key=stranger), 401),
        (partner.authorization("GET", uri, server.name, content={}), 401),
        (partner.authorization("GET", uri, server.name, origin="localhost:http"), 400),
    ]:
        found, body = await profile(server, partner, alice.user, authorization=authorization)
        assert (found, body["errcode"]) == (status, "M_UNAUTHORIZED"), (authorization, body)
    await alice.close()


async def test_the_content_is_signed_too(town):
    server, partner = await town(), await town.partner()
    alice = await server.register("alice")
    path = f"{FEDERATION}/user/keys/query"
    content = {"device_keys": {alice.user: []}, "é": [1, {"b": None, "a": True}]}
    status, body = await partner.ask(server, "POST", path, content=content)
    assert status == 200 and body["device_keys"] == {alice.user: {}}, body
    signed = partner.authorization("POST", path, server.name, content)
    status, body = await partner.ask(server, "POST", path, content={**content, "more": 1}, authorization=signed)
    assert (status, body["errcode"]) == (401, "M_UNAUTHORIZED")
    await alice.close()


async def test_keys_are_fetched_once_for_many_and_kept_over_a_restart(town):
    server, partner = await town(), await town.partner()
    alice = await server.register("alice")
    answers = await asyncio.gather(*(profile(server, partner, alice.user) for _ in range(40)))
    assert {status for status, _ in answers} == {200}
    await server.restart()
    assert (await profile(server, partner, alice.user))[0] == 200
    assert partner.count(KEYS) == 1
    assert partner.asked[0] == ("GET", KEYS, partner.name)
    await alice.close()


async def test_only_servers_that_the_operator_allows(town):
    partner = await town.partner()
    server = await town(federation_domain_whitelist=["somebody.example"])
    status, body = await profile(server, partner, "@alice:test.example")
    assert (status, body["errcode"]) == (403, "M_FORBIDDEN")
    assert partner.asked == []


async def test_those_who_ask_too_much_are_refused(town):
    server, partner = await town(rc_federation={"sleep_limit": 1, "sleep_delay": 300, "reject_limit": 2, "concurrent": 1}), await town.partner()
    alice = await server.register("alice")
    assert (await profile(server, partner, alice.user))[0] == 200
    answers = await asyncio.gather(*(profile(server, partner, alice.user) for _ in range(10)))
    refused = [body for status, body in answers if status == 429]
    assert refused and all(body["errcode"] == "M_LIMIT_EXCEEDED" for body in refused)
    assert any(status == 200 for status, _ in answers)
    await alice.close()


# Keys


async def test_a_notary_passes_keys_on_with_its_signature(town):
    server, partner = await town(), await town.partner()
    _, own = await get(server, KEYS)
    (key_id, key), = own["verify_keys"].items()
    public = partner.key_document()["verify_keys"][partner.key_id]["key"]
    answers = [
        await get(server, f"/_matrix/key/v2/query/{partner.name}"),
        await get(server, f"/_matrix/key/v2/query/{partner.name}/{partner.key_id}"),
        await post(server, "/_matrix/key/v2/query", {"server_keys": {partner.name: {partner.key_id: {"minimum_valid_until_ts": 0}}}}),
        await post(server, "/_matrix/key/v2/query", {"server_keys": {partner.name: {}}}),
    ]
    for status, body in answers:
        assert status == 200 and len(body["server_keys"]) == 1, body
        document = body["server_keys"][0]
        check_signature(document, server.name, key_id, key["key"])
        check_signature(document, partner.name, partner.key_id, public)
    assert partner.count(KEYS) == 1
    # What it has to say of itself, and of those who are not there.
    _, body = await get(server, f"/_matrix/key/v2/query/{server.name}")
    assert body["server_keys"][0]["verify_keys"] == own["verify_keys"]
    assert await post(server, "/_matrix/key/v2/query", {"server_keys": {"localhost:1": {}}}) == (200, {"server_keys": []})


async def test_an_expired_key_is_better_than_none_for_those_who_ask_a_notary(town):
    server, partner = await town(), await town.partner()

    async def expired(request):
        return web.json_response(partner.key_document(valid_for=-86400))

    async def broken(request):
        return web.json_response({}, status=400)

    partner.handlers[KEYS] = expired
    for handler in (expired, expired, broken):
        partner.handlers[KEYS] = handler
        later = int(time.time() * 1000)
        status, body = await post(server, "/_matrix/key/v2/query",
                                  {"server_keys": {partner.name: {partner.key_id: {"minimum_valid_until_ts": later}}}})
        assert status == 200 and partner.key_id in body["server_keys"][0]["verify_keys"], body
    assert partner.count(KEYS) == 3
    # But nobody signs with it any more.
    assert (await profile(server, partner, "@alice:test.example"))[0] == 401


async def test_keys_come_from_a_notary_where_their_server_says_nothing(town):
    notary, partner = await town.partner(), await town.partner()
    answered = []

    async def query(request):
        answered.append(await request.json())
        return web.json_response({"server_keys": [notary.sign(partner.key_document())]})

    notary.handlers["/_matrix/key/v2/query"] = query
    del partner.handlers[KEYS]
    server = await town(trusted_key_servers=[{"server_name": notary.name}])
    alice = await server.register("alice")
    assert (await profile(server, partner, alice.user))[0] == 200
    assert list(answered[0]["server_keys"]) == [partner.name] and list(answered[0]["server_keys"][partner.name]) == [partner.key_id]
    await alice.close()


async def test_a_notary_without_a_signature_is_not_believed(town):
    notary, partner = await town.partner(), await town.partner()

    async def query(request):
        return web.json_response({"server_keys": [partner.key_document()]})

    notary.handlers["/_matrix/key/v2/query"] = query
    del partner.handlers[KEYS]
    server = await town(trusted_key_servers=[{"server_name": notary.name}])
    assert (await profile(server, partner, "@alice:test.example"))[0] == 401
    assert notary.count("/_matrix/key/v2/query") >= 1


# Those who mean harm


def wrong_documents(partner):
    other = Ed25519PrivateKey.generate()
    unsigned = partner.key_document()
    del unsigned["signatures"]
    changed = partner.key_document()
    changed["valid_until_ts"] += 1
    deep = {**partner.key_document(), "deep": None}
    for _ in range(100):
        deep["deep"] = [deep["deep"]]
    large = partner.sign({**partner.key_document(), "padding": "x" * 70_000})
    return {
        "of another name": partner.key_document(name="other.example"), "signed by another key": partner.key_document(key=other),
        "unsigned": unsigned, "changed": changed, "unsigned parts": deep, "too large": large, "a list": [], "a number": 5,
    }


async def test_documents_that_are_not_right_are_not_believed(town):
    server = await town()
    for what in wrong_documents(await town.partner()):
        partner = await town.partner()
        document = wrong_documents(partner)[what]

        async def lie(request):
            return web.json_response(document)

        partner.handlers[KEYS] = lie
        status, body = await profile(server, partner, "@alice:test.example")
        assert (status, body["errcode"]) == (401, "M_UNAUTHORIZED"), what
        assert partner.count(KEYS) >= 1


async def test_bodies_without_an_end_cost_little_memory_and_little_time(town):
    server = await town()
    alice = await server.register("alice")
    honest = await town.partner()
    assert (await profile(server, honest, alice.user))[0] == 200
    before = resident(server)
    hostile = [await town.partner() for _ in range(6)]
    for index, partner in enumerate(hostile):
        partner.handlers[KEYS] = endless if index % 2 else slow
    begun = time.monotonic()
    asking = [asyncio.create_task(profile(server, partner, alice.user)) for partner in hostile]
    await asyncio.sleep(1)
    # Others are served meanwhile.
    assert (await profile(server, honest, alice.user))[0] == 200
    assert time.monotonic() - begun < 5
    for answer in await asyncio.gather(*asking):
        assert answer[0] == 401
    assert time.monotonic() - begun < 30
    assert resident(server) - before < 30 << 20
    await alice.close()


async def test_made_up_keys_do_not_make_us_ask_without_end(town):
    server, partner = await town(), await town.partner()
    for number in range(60):
        partner.key_id = f"ed25519:made_up_{number}"
        document = partner.key_document()

        async def other(request, document={**document, "verify_keys": {}}):
            return web.json_response(document)

        partner.handlers[KEYS] = other
        assert (await profile(server, partner, "@alice:test.example"))[0] == 401
    assert partner.count(KEYS) < 30


# Certificates and addresses


async def test_a_certificate_must_be_for_the_name(town):
    server = await town()
    partner = await town.partner(names=("other.example",))
    assert (await profile(server, partner, "@alice:test.example"))[0] == 401
    assert partner.asked == []


async def test_a_certificate_must_be_of_a_known_authority(town, tmp_path):
    server = await town()
    town.authority = Authority(tmp_path / "other authority")
    partner = await town.partner()
    assert (await profile(server, partner, "@alice:test.example"))[0] == 401
    assert partner.asked == []


@pytest.mark.parametrize("overrides", [
    {"federation_certificate_verification_whitelist": ["local*"]}, {"federation_verify_certificates": False}])
async def test_certificates_are_not_verified_where_the_operator_says_so(town, overrides):
    server = await town(**overrides)
    partner = await town.partner(names=("other.example",))
    alice = await server.register("alice")
    assert (await profile(server, partner, alice.user))[0] == 200
    await alice.close()


async def test_a_server_may_be_an_address(town):
    server = await town()
    partner = await town.partner()
    partner.name = f"127.0.0.1:{partner.port}"
    alice = await server.register("alice")
    assert (await profile(server, partner, alice.user))[0] == 200
    await alice.close()


@pytest.mark.parametrize("overrides", [
    {"ip_range_blacklist": None}, {"ip_range_blacklist": ["127.0.0.0/8", "::1"]},
    {"ip_range_blacklist": [], "federation_ip_range_blacklist": ["127.0.0.1/32", "::1"]}])
async def test_private_networks_are_not_connected_to(town, overrides):
    server, partner = await town(**overrides), await town.partner()
    assert (await profile(server, partner, "@alice:test.example"))[0] == 401
    assert partner.asked == []


# Delegation: only where port 443 can be had


@pytest_asyncio.fixture
async def front(town):
    """A server at port 443 of localhost."""
    try:
        return await town.partner(port=443, name="localhost")
    except OSError as error:
        pytest.skip(f"port 443 is not to be had: {error}")


WELL_KNOWN = "/.well-known/matrix/server"


async def test_a_delegation_is_followed_and_remembered(town, front):
    server, partner = await town(), await town.partner(name="localhost")

    async def delegate(request):
        raise web.HTTPFound("/elsewhere")

    async def elsewhere(request):
        return web.json_response({"m.server": f"localhost:{partner.port}"})

    front.handlers.update({WELL_KNOWN: delegate, "/elsewhere": elsewhere})
    alice = await server.register("alice")
    assert (await profile(server, partner, alice.user))[0] == 200
    assert partner.asked == [("GET", KEYS, f"localhost:{partner.port}")]
    assert (await get(server, "/_matrix/key/v2/query/localhost?minimum_valid_until_ts=9999999999999"))[0] == 200
    assert front.count(WELL_KNOWN) == 1
    await alice.close()


async def test_a_redirect_to_a_private_address_is_not_followed(town, front):
    server = await town(ip_range_blacklist=["127.0.0.2/32"])
    inside = await town.partner(host="127.0.0.2", names=("127.0.0.2",))

    async def redirect(request):
        raise web.HTTPFound(f"https://127.0.0.2:{inside.port}{WELL_KNOWN}")

    front.handlers[WELL_KNOWN] = redirect
    await get(server, "/_matrix/key/v2/query/localhost")
    assert front.count(WELL_KNOWN) == 1 and inside.asked == []


@pytest.mark.parametrize("hostile", ["loop", "endless", "huge", "slow", "plain"])
async def test_a_hostile_well_known_ends_soon(town, front, hostile):
    server = await town()

    async def loop(request):
        raise web.HTTPFound(WELL_KNOWN)

    async def plain(request):
        raise web.HTTPFound(f"http://localhost:{front.port}/x")

    async def huge(request):
        return web.Response(body=b'{"m.server": "localhost:1", "padding": "%s"}' % (b"x" * 100_000_000), content_type="application/json")

    front.handlers[WELL_KNOWN] = {"loop": loop, "endless": endless, "huge": huge, "slow": slow, "plain": plain}[hostile]
    before = resident(server)
    begun = time.monotonic()
    status, body = await get(server, "/_matrix/key/v2/query/localhost")
    assert (status, body) == (200, {"server_keys": []})
    assert time.monotonic() - begun < 20 and front.count(WELL_KNOWN) <= 6
    assert resident(server) - before < 20 << 20
    # The failure is remembered.
    await get(server, "/_matrix/key/v2/query/localhost")
    assert front.count(WELL_KNOWN) <= 6


# What servers ask


async def test_what_is_asked_about_people_and_rooms(town):
    server, partner = await town(allow_public_rooms_over_federation=True, room_list_publication_rules=[{"action": "allow"}]), await town.partner()
    alice = await server.register("alice")
    room = await alice.create_room(preset="public_chat", visibility="public", room_alias_name="den", name="Den")
    hidden = await alice.create_room(preset="public_chat", visibility="public", creation_content={"m.federate": False})
    status, body = await partner.ask(server, "GET", f"{FEDERATION}/query/directory", {"room_alias": f"#den:{server.name}"})
    assert (status, body) == (200, {"room_id": room, "servers": [server.name]})
    status, body = await partner.ask(server, "GET", f"{FEDERATION}/query/directory", {"room_alias": f"#no:{server.name}"})
    assert (status, body["errcode"]) == (404, "M_NOT_FOUND")
    for method, content in (("GET", None), ("POST", {"filter": {"generic_search_term": "den"}})):
        status, body = await partner.ask(server, method, f"{FEDERATION}/publicRooms", content=content)
        assert status == 200 and [entry["room_id"] for entry in body["chunk"]] == [room] and hidden not in str(body)
    status, body = await partner.ask(server, "GET", f"{FEDERATION}/user/devices/{quote(alice.user, safe='')}")
    assert status == 200 and body["user_id"] == alice.user and body["devices"] == [] and "stream_id" in body
    status, body = await partner.ask(server, "POST", f"{FEDERATION}/user/keys/claim",
                                     content={"one_time_keys": {alice.user: {"DEVICE": "signed_curve25519"}}})
    assert (status, body) == (200, {"one_time_keys": {}})
    await alice.close()


async def test_the_room_directory_is_closed_to_servers_unless_the_operator_opens_it(town):
    server, partner = await town(), await town.partner()
    status, body = await partner.ask(server, "GET", f"{FEDERATION}/publicRooms")
    assert (status, body["errcode"]) == (403, "M_FORBIDDEN")


async def test_a_user_proves_to_others_who_they_are(server, people):
    alice, bob = await people("alice", "bob")
    token = await alice.post(f"/_matrix/client/v3/user/{quote(alice.user, safe='')}/openid/request_token")
    assert token["matrix_server_name"] == server.name and token["expires_in"] == 3600
    assert await get(server, f"{FEDERATION}/openid/userinfo?access_token={token['access_token']}") == (200, {"sub": alice.user})
    status, body = await get(server, f"{FEDERATION}/openid/userinfo?access_token=wrong")
    assert (status, body["errcode"]) == (401, "M_UNKNOWN_TOKEN")
    status, body = await get(server, f"{FEDERATION}/openid/userinfo")
    assert (status, body["errcode"]) == (401, "M_MISSING_TOKEN")
    status, _, _ = await bob.raw("POST", f"/_matrix/client/v3/user/{quote(alice.user, safe='')}/openid/request_token", {})
    assert status == 403
